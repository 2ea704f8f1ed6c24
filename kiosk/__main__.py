"""`python -m kiosk`: the station. By default a supervisor that keeps the screen process alive."""

import argparse
import dataclasses
import logging
import os
import sys
from pathlib import Path

from kiosk.options import HEARTBEAT, OUTBOX_LIMIT, RETRY, SHIPPED, Options

ZONE = Options.zone


def main(argv: list[str] | None = None) -> int:
    """Run the station; the exit status is 2 when it cannot be started as asked."""
    os.umask(0o077)  # what visitors say here is for nobody else on this machine
    arguments = sys.argv[1:] if argv is None else list(argv)
    given = _parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", level=logging.INFO, stream=sys.stderr)
    options = Options(
        data=given.data.expanduser().resolve(),
        server=given.server,
        plugins=tuple(given.plugins or [SHIPPED]),
        size=given.size,
        drive=given.drive,
        heartbeat=given.heartbeat,
        allow_plain=given.allow_plain,
        safe_mode=given.safe_mode,
        please_call=given.please_call,
        zone=given.zone or ZONE,
        pulse_fd=given.pulse_fd,
        idle_seconds=given.idle,
        countdown_seconds=given.countdown,
        dpi=given.dpi,
        settings=tuple(given.set),
        outbox_limit=given.outbox_limit,
        retry=given.retry,
        clock_shift=given.clock_shift,
    )
    if not _settable(options):
        return 2
    if given.claim and not _claim(options, given.claim):
        return 2
    return _screen(options) if given.no_supervise else _supervise(options, arguments)


def _settable(options: Options) -> bool:
    """Whether all settings given can be stored; says in a sentence which cannot."""
    if not options.settings:
        return True
    from kiosk import presets, strings
    from kiosk.errors import PresetRefused

    try:
        presets.read(options.settings, options.plugins)
    except PresetRefused as err:
        print(strings.own().text("en", err.key, **err.values), file=sys.stderr)
        return False
    return True


def _claim(options: Options, code: str) -> bool:
    """Claim the station; whether it may start. One that is claimed already starts in any case."""
    from kiosk import claim, strings
    from kiosk.errors import ClaimError

    try:
        credentials = claim.claim(options.server, code, options.data, options.allow_plain)
    except ClaimError as err:
        sentence = strings.own().text("en", err.key, **err.values)
        known = _known(options)
        print(f"{sentence} Going on as {known}." if known else sentence, file=sys.stderr)
        return bool(known)
    # Standard output belongs to whoever drives.
    out = sys.stderr if options.drive else sys.stdout
    print(
        f"This is now station {credentials.station} of {credentials.server_name or credentials.server}.",
        file=out,
    )
    return True


def _known(options: Options) -> str:
    from kiosk import claim

    try:
        credentials = claim.load(options.data)
    except ValueError:
        return ""
    return credentials.station if credentials else ""


def _screen(options: Options) -> int:
    from kiosk import memory, pulse

    pulse.start(options.pulse_fd)
    if options.pulse_fd >= 0:  # a supervisor starts another one
        memory.bound()
    if options.please_call:
        pulse.ready()
    from kiosk.ui.app import run

    status: int = run(options)
    return status


def _supervise(options: Options, arguments: list[str]) -> int:
    from kiosk.ladder import Plan
    from kiosk.supervisor import Files, Supervisor

    root = str(Path(__file__).resolve().parent.parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])

    def command(plan: Plan, fd: int) -> list[str]:
        line = [
            sys.executable,
            "-m",
            "kiosk",
            *_without_claim(arguments),
            "--no-supervise",
            f"--pulse-fd={fd}",
        ]
        line += ["--safe-mode"] if plan.safe_mode else []
        line += ["--please-call"] if plan.please_call else []
        return line

    def first(fd: int) -> int:
        return _screen(dataclasses.replace(options, pulse_fd=fd))

    return Supervisor(command, Files.below(options.data), first=first).run()


def _without_claim(arguments: list[str]) -> list[str]:
    """The arguments for the screen process: a code works once, and not at each restart."""
    kept, skip = [], False
    for each in arguments:
        if skip:
            skip = False
        elif each == "--claim":
            skip = True
        elif not each.startswith("--claim="):
            kept.append(each)
    return kept


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit() and int(width) >= 320 and int(height) >= 320):
        raise argparse.ArgumentTypeError(f"'{text}' is no size such as 1080x1920")
    return int(width), int(height)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 86400:
        raise argparse.ArgumentTypeError(f"'{text}' is no number of seconds from 0.1 to 86400")
    return seconds


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"'{text}' is no number from 1 on")
    return int(text)


def _zone(text: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(text).key
    except (ZoneInfoNotFoundError, ValueError) as err:
        raise argparse.ArgumentTypeError(f"'{text}' is no time zone such as Asia/Shanghai") from err


def _data() -> Path:
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(state) / "yizhan" / "station"


def _parser() -> argparse.ArgumentParser:
    # Without abbreviations, because the supervisor must recognise its own options in the list.
    parser = argparse.ArgumentParser(
        "yizhan kiosk", description="The screen of a rest station.", allow_abbrev=False
    )
    add = parser.add_argument
    add("--data", type=Path, default=_data(), help="the station's data directory (%(default)s)")
    add("--server", default="", help="headquarters, such as https://yizhan.example.org")
    add("--claim", default="", metavar="CODE", help="claim this station by the code from headquarters")
    add("--allow-plain", action="store_true", help="accept unencrypted connections to another machine")
    add(
        "--plugins",
        type=Path,
        action="append",
        metavar="FOLDER",
        help="folders of plugins instead of the shipped",
    )
    add(
        "--set",
        action="append",
        default=[],
        metavar="PLUGIN.NAME=VALUE",
        help="store a setting at each start, such as broadcast.volume=50; may be given several times",
    )
    add("--size", type=_size, metavar="WxH", help="a window of this size instead of the whole screen")
    add("--zone", type=_zone, default=None, help=f"the station's time zone ({ZONE})")
    add(
        "--heartbeat",
        type=_seconds,
        default=HEARTBEAT,
        metavar="SECONDS",
        help="between heartbeats (%(default)s)",
    )
    add("--idle", type=_seconds, default=60.0, metavar="SECONDS", help="without a touch (%(default)s)")
    add("--countdown", type=_seconds, default=30.0, metavar="SECONDS", help="to a visit's end (%(default)s)")
    add("--dpi", type=float, default=0.0, help="dots per inch of the screen, for true millimetres")
    add("--drive", action="store_true", help="take commands as JSON lines on standard input, for tests")
    add("--safe-mode", action="store_true", help="load essential services only")
    add("--no-supervise", action="store_true", help="run the screen process itself")
    add("--please-call", action="store_true", help=argparse.SUPPRESS)
    add("--outbox-limit", type=_count, default=OUTBOX_LIMIT, help=argparse.SUPPRESS)
    add("--retry", type=_seconds, default=RETRY, help=argparse.SUPPRESS)
    add("--clock-shift", type=int, default=0, help=argparse.SUPPRESS)
    add("--pulse-fd", type=int, default=-1, help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
