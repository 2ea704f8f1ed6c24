"""The front door: the `yizhan` command. Each group is imported only when it is called."""

import sys
from importlib import import_module

GROUPS = {
    "demo": ("server.demo", "headquarters and one station with sample content, on this machine"),
    "doctor": ("yizhan_doctor", "what is wrong with a station or headquarters, and what to do"),
    "kiosk": ("kiosk.__main__", "the touch screen of one station"),
    "server": ("server.__main__", "headquarters: run, add-station, add-user, import ..."),
    "simulate": ("server.simulate.command", "many stations that return to a headquarters on this machine"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one group with the rest of the arguments; the exit status is the group's own."""
    argv = sys.argv[1:] if argv is None else argv
    if argv and argv[0] in GROUPS:
        return int(import_module(GROUPS[argv[0]][0]).main(argv[1:]) or 0)
    asked = bool(argv) and argv[0] in ("-h", "--help", "help")
    out = sys.stdout if asked else sys.stderr
    if argv and not asked:
        print(f"yizhan: there is no command '{argv[0]}'.", file=out)
    print("usage: yizhan COMMAND ...   (yizhan COMMAND --help tells more)\n", file=out)
    for name, (_, line) in GROUPS.items():
        print(f"  {name:<9}{line}", file=out)
    return 0 if asked else 2


if __name__ == "__main__":
    raise SystemExit(main())
