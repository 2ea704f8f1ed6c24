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
    "fontTools",
)

AREAS = {
    "protocol": Area("protocol", ("protocol", "msgspec")),
    "kiosk": Area(
        "kiosk, not ui",
        ("protocol", "kiosk", "pluggy", "sqlite_utils", "msgspec"),
    ),
    "kiosk.ui": Area("kiosk.ui", ("kiosk", "kiosk.ui", "kivy")),
    "plugins.X.rules": Area("plugins.X.rules", ("pypinyin",), "well-kept pure libraries: pypinyin"),
    "plugins.X.plugin": Area(
        "plugins.X, all but rules and screens", ("protocol", "kiosk", "own", "sqlite_utils")
    ),
    "plugins.X.screen": Area("plugins.X.screen*, .pages", ("kiosk", "kiosk.ui", "kivy", "own")),
    "server": Area("server", ("protocol", "server", *SERVER_LIBRARIES), "protocol, server, its libraries"),
}

#: Single files that may import more than their area.
ONLY_IN: dict[str, tuple[str, ...]] = {
    "kiosk/link.py": ("paho",),
    "kiosk/media/player.py": ("mpv",),
    "kiosk/seal.py": ("nacl",),
    "kiosk/speech.py": ("pypinyin",),
    "kiosk/plugin_host.py": ("plugins",),
    "kiosk/ui/fonts.py": ("fontTools", "fonticon_mdi7"),
    "kiosk/ui/widgets/qr_image.py": ("segno",),
    "server/collector.py": ("paho",),
    "server/simulate/station.py": ("paho",),
}
#: What may import a module whose name it computes: whoever hosts plugins, and the screen's own modules ahead
#: of their first use. Everywhere else a module is imported by a name that one can read, and the table judges.
BY_COMPUTED_NAME = (
    "kiosk/plugin_host.py",
    "kiosk/testing.py",
    "kiosk/ui/preview.py",
    "kiosk/ui/warm_up.py",
)
#: Composition roots put the parts together, so the table does not bind them.
ROOTS = ("yizhan.py", "kiosk/__main__.py", "server/__main__.py")


@dataclass(frozen=True)
class Import:
    """One import; `module` is empty if its name is computed when the program runs."""

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
        name = parts[-1].removesuffix(".py")
        is_screen = name.startswith("screen") or name == "pages"
        return AREAS[f"plugins.X.{'rules' if name == 'rules' else 'screen' if is_screen else 'plugin'}"]
    if file.startswith("kiosk/ui/"):
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
        elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
            name = node.args[0] if node.args else None
            known = name.value if isinstance(name, ast.Constant) else ""
            yield Import(file, node.lineno, str(known))


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def allowed(each: Import) -> bool:
    """Whether the table allows this import."""
    if each.file in ROOTS:
        return True
    if not each.module:
        return each.file in BY_COMPUTED_NAME
    top = each.module.split(".")[0]
    if top in sys.stdlib_module_names or top in ONLY_IN.get(each.file, ()):
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
    rows = [
        f"| {area.name} | {'; '.join([area.text or ', '.join(area.may), *_single(area)])} |"
        for area in AREAS.values()
    ]
    return "\n".join(["| code | may import, besides the standard library |", "|---|---|", *rows])


def _single(area: Area) -> Iterator[str]:
    for file, more in ONLY_IN.items():
        if area_of(file) is area:
            yield f"{' and '.join(more)} only in {file.removeprefix('kiosk/').removeprefix('server/')}"


def main() -> None:
    """Renew the table in ARCHITECTURE.md."""
    page = ROOT / "ARCHITECTURE.md"
    head, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    _, _, tail = rest.partition(END)
    page.write_text(f"{head}{BEGIN}\n{table()}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
