"""Plugins that do harm: each file in `plugins/` has a `harm()`, to be put into any hook."""

from pathlib import Path
from typing import Final

from tests.kiosk import plugin_folder

SOURCES: Final = Path(__file__).parent / "plugins"

#: Where the harm is done: when the home screen asks, when a finger opens the tile, before anything is shown.
HOOKS: Final = {
    "tile": """

@hookimpl
def tile(station):
    harm()
    return Tile(live="")
""",
    "screen": """

@hookimpl
def screen(station, route):
    harm()
    from kiosk.ui.screen import ServiceScreen
    return ServiceScreen(station)
""",
    "setup": """

@hookimpl
def setup(station):
    harm()
""",
}


def write(folder: Path, harm: str, hook: str = "screen", name: str = "") -> Path:
    """A plugin that does `harm` (a file of `plugins/`) in `hook`; its id is `name`, or the harm."""
    source = (SOURCES / f"{harm}.py").read_text(encoding="utf-8")
    home = plugin_folder.write(folder, name or harm, order=60)
    file = home / "plugin.py"
    file.write_text(file.read_text(encoding="utf-8") + source + HOOKS[hook], encoding="utf-8")
    return home
