"""What is raised on the UI thread outside of a hook: named after the plugin it came from, never a crash."""

import logging
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kivy.base import ExceptionHandler, ExceptionManager

from kiosk import ui_thread

if TYPE_CHECKING:
    from kiosk.plugin_host import PluginHost

log = logging.getLogger(__name__)


class GivesUp(Exception):
    """The shell cannot help itself: end the process, so that the supervisor starts another."""


class Fence(ExceptionHandler):
    """Kivy asks it about every exception of a touch, a timer, a kv rule or a drawing.

    `opened` is the plugin whose screen is shown: it bears what has no file of anybody's in its traceback,
    because nothing but its widgets was at work. `on_fault(plugin)` follows; an empty id is the shell's own.
    """

    def __init__(
        self, host: "PluginHost", opened: Callable[[], str], on_fault: Callable[[str], object]
    ) -> None:
        super().__init__()
        self._host, self._opened, self._on_fault = host, opened, on_fault
        ExceptionManager.add_handler(self)

    def remove(self) -> None:
        """Leave exceptions to Kivy again."""
        ExceptionManager.remove_handler(self)

    def handle_exception(self, inst: BaseException) -> Any:
        """Name the plugin and go on; only Ctrl-C ends the loop."""
        if isinstance(inst, KeyboardInterrupt | GivesUp):
            return ExceptionManager.RAISE
        folders = {each.manifest.id: each.folder for each in self._host.plugins}
        plugin, where = culprit(inst, folders)
        if not plugin and not _from_shell(inst):
            plugin, where = self._opened(), "draw"
        if plugin:
            self._host.blame(plugin, where, inst)
        else:
            log.error("the shell failed", exc_info=inst)
        # Not now: what failed may still be at work further up in this very frame.
        ui_thread.call_soon(lambda: self._on_fault(plugin) and None)
        return ExceptionManager.PASS


def culprit(err: BaseException, folders: dict[str, Path]) -> tuple[str, str]:
    """The plugin whose file is innermost in the traceback and the function there; empty texts if none is."""
    for frame in reversed(traceback.extract_tb(err.__traceback__)):
        path = Path(frame.filename)
        for plugin, folder in folders.items():
            if path.is_relative_to(folder):
                return plugin, frame.name
    # A mistake in a .kv file has no frame of its own: Kivy names the file in the exception.
    file = str(getattr(getattr(err, "context", None), "filename", "") or "")
    for plugin, folder in folders.items():
        if file and Path(file).is_relative_to(folder):
            return plugin, Path(file).name
    return "", ""


def _from_shell(err: BaseException) -> bool:
    own = Path(__file__).resolve().parent
    frames = [Path(each.filename) for each in traceback.extract_tb(err.__traceback__)]
    outer = {own / "app.py", own / "loop.py", own / "touch.py"}
    # Widgets and the frame run with a plugin's values: they alone do not make it the shell's mistake.
    return any(
        each.is_relative_to(own) and each not in outer and "widgets" not in each.parts for each in frames
    )
