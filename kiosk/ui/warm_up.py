"""Plugins' screens imported in the background, so that the first tap on a tile is as quick as the second."""

import importlib
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from kiosk.ui.widgets import HOMES
from kiosk.ui.widgets import __name__ as WIDGETS

if TYPE_CHECKING:
    from kiosk.plugin_host import PluginHost
    from kiosk.pool import Pool

#: What the shell itself imports late.
SHELL: Final = ("kiosk.ui.service", "kiosk.ui.dialogs")

log = logging.getLogger(__name__)


def warm_up(host: "PluginHost", pool: "Pool") -> None:
    """Import the widgets, then `screen` beside each running `plugin`, on the pool, under its name."""
    pool.run("shell", _import_widgets)
    for loaded in host.plugins:
        plugin = loaded.manifest.id
        if loaded.running and (loaded.folder / "screen.py").is_file():
            module = _package(str(loaded.folder / "plugin.py")) or f"plugins.{plugin}"
            pool.run("shell", host.fenced(plugin, "screen", partial(_import_quietly, f"{module}.screen")))


def _import_widgets() -> None:
    for name in SHELL:
        importlib.import_module(name)
    for home in HOMES:
        importlib.import_module(f"{WIDGETS}.{home}")


def _package(file: str) -> str:
    """The package whose `plugin` module is this file: an installed plugin is not below `plugins`."""
    # A copy in one step: other threads import meanwhile.
    for name, module in sys.modules.copy().items():
        if name.endswith(".plugin") and getattr(module, "__file__", None) == file:
            return name.removesuffix(".plugin")
    return ""


def _import_quietly(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as err:  # noqa: BLE001 - the `screen` hook raises it again, where it is told as a fault
        log.debug("%s cannot be imported: %s", module, type(err).__name__)
