"""What plugin authors build their screens on: `ServiceScreen` and `load_kv`."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from kivy.properties import (
    BooleanProperty,
    ColorProperty,
    ListProperty,
    NumericProperty,
    ObjectProperty,
    StringProperty,
)
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.label import Label
from kivy.uix.widget import Widget

from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules

if TYPE_CHECKING:
    from kiosk.station import Station

__all__ = ["ServiceScreen", "load_kv", "theme"]


def load_kv(file: str) -> None:
    """Load the rules beside a plugin's screen: `load_kv(__file__)` in screen.py loads screen.kv, once."""
    load_rules(file)


class ServiceScreen(BoxLayout):
    """A screen of a plugin: what its kv rule or `add_widget` puts here is the body.

    The shell draws the header (`header_title`, `header_line`, by default the manifest's), the step bar
    (`steps`, and `step` from 1; 0 for none) and the bottom bar around it. In kv write `root.tr('key')`: the
    texts then follow the language.
    """

    station: "Station" = ObjectProperty(None)
    tr: Callable[..., str] = ObjectProperty(None)
    header_title = StringProperty("")
    header_line = StringProperty("")
    header_icon = StringProperty("")
    steps = ListProperty()
    step = NumericProperty(0)
    colour = ColorProperty((0, 0, 0, 1))
    landscape = BooleanProperty(False)

    def __init__(self, station: "Station", **kwargs: Any) -> None:
        # Before the kv rule is applied, which calls tr.
        kwargs.setdefault("tr", partial(station.tr))
        super().__init__(station=station, **kwargs)

    def on_refresh(self) -> None:
        """Language, large text, content or `station.refresh()`: show what is true now."""

    def spoken(self) -> str:
        """What is read aloud: by default every text on the screen from the top, but nothing personal."""
        return "\n".join(dict.fromkeys(texts(self)))

    def retranslate(self) -> None:
        """Let every text that kv made with `root.tr` be made anew; the shell calls this."""
        self.tr = partial(self.station.tr)
        self.on_refresh()


def texts(root: Widget) -> Iterator[str]:
    """The visible texts below a widget, from the top, that others in the room may hear.

    What is `personal` is left out with all below it: pads are, and a screen says so of its own texts.
    """
    if root.opacity == 0 or getattr(root, "personal", False):
        return
    if isinstance(root, Label) and root.text.strip() and not hasattr(root, "sign"):
        yield root.text
    for child in reversed(root.children):
        yield from texts(child)


load_rules(__file__)
