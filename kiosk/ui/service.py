"""The service that is open: its frame, its body, since when."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from kivy.uix.widget import Widget

from kiosk.ui.frame_of import dress
from kiosk.ui.screen import ServiceScreen, texts
from kiosk.ui.service_frame import ServiceFrame

if TYPE_CHECKING:
    from kiosk.plugin_host import PluginHost
    from kiosk.station import Station
    from kiosk.ui.bar import BottomBar

#: What a screen may change about its frame at any time.
DRESSED_BY = ("header_title", "header_line", "header_icon", "steps", "step")


class Service:
    """One plugin from its opening (`opened`, monotonic seconds) to its closing; routes change the body."""

    def __init__(self, station: "Station", opened: float, bar_item: Callable[[str], object]) -> None:
        self.plugin = station.plugin.id
        self.route = ""
        self.frame = ServiceFrame()
        self._station = station
        self._body: Widget | None = None
        self.opened = opened
        self.frame.bar.fbind("on_item", lambda _, name: bar_item(name))

    @property
    def bar(self) -> "BottomBar":
        """The bar of the frame."""
        return self.frame.bar

    def show(self, body: Widget, route: str, host: "PluginHost") -> None:
        """Put the body into the frame."""
        self.leave(host)
        self.route, self._body = route, body
        if body.parent is not None:
            body.parent.remove_widget(body)
        self.frame.show(body)
        self._dress()
        if isinstance(body, ServiceScreen):
            for name in DRESSED_BY:
                body.fbind(name, self._dress)

    def leave(self, host: "PluginHost") -> None:
        """The body is no longer shown, and hears of it by losing its parent."""
        body, self._body = self._body, None
        if isinstance(body, ServiceScreen):
            for name in DRESSED_BY:
                body.funbind(name, self._dress)
        if body is not None and body.parent is not None:
            host.fenced(self.plugin, "on_parent", body.parent.remove_widget)(body)

    def refresh(self, host: "PluginHost") -> None:
        """Tell the body that what it shows may have changed."""
        if isinstance(self._body, ServiceScreen):
            host.fenced(self.plugin, "on_refresh", self._body.on_refresh)()
        self._dress()

    def retranslate(self, host: "PluginHost") -> None:
        """Language or text size has changed."""
        if isinstance(self._body, ServiceScreen):
            host.fenced(self.plugin, "on_refresh", self._body.retranslate)()
        self._dress()

    def spoken(self, host: "PluginHost") -> str:
        """What is to be read aloud."""
        body = self._body
        if isinstance(body, ServiceScreen):
            words = host.fenced(self.plugin, "spoken", body.spoken)()
            if isinstance(words, str):
                return words
        return "\n".join(dict.fromkeys(texts(body))) if body is not None else ""

    def _dress(self, *_: object) -> None:
        if self._body is not None:
            dress(self.frame, self._body, self._station)
