"""What is raised on the UI thread outside of a hook: named after the plugin it came from, never a crash."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from kivy.base import ExceptionHandler, ExceptionManager

from kiosk import ui_thread
from kiosk.ui.culprit import culprit, from_shell

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
        if not plugin and not from_shell(inst):
            plugin, where = self._opened(), "draw"
        if plugin:
            self._host.blame(plugin, where, inst)
        else:
            log.error("the shell failed", exc_info=inst)
        # Not now: what failed may still be at work further up in this very frame.
        ui_thread.call_soon(lambda: self._on_fault(plugin) and None)
        return ExceptionManager.PASS
