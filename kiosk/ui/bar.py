"""The fixed bar at the foot of every screen: larger text, read aloud, language, and a way out."""

from typing import Any

from kivy.properties import ListProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.gridlayout import GridLayout

from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface
from kiosk.ui.widgets.tappable import Tappable
from kiosk.ui.words import Words


class BarItem(Tappable, Surface, BoxLayout):
    """A sign over a word."""

    icon = StringProperty("")
    text = StringProperty("")


class BottomBar(Surface, GridLayout):
    """`items` are (name, icon, text); `on_item` tells which was tapped."""

    items = ListProperty()
    top_line = NumericProperty(1)

    __events__ = ("on_item",)

    def __init__(self, **kwargs: Any) -> None:
        self._drawn: list[BarItem] = []
        super().__init__(**kwargs)
        self.fbind("items", self._fill)
        self._fill()

    def on_item(self, name: str) -> None:
        """An item was tapped."""

    def _fill(self, *_: object) -> None:
        if [item.name for item in self._drawn] != [name for name, _, _ in self.items]:
            self.clear_widgets()
            self._drawn = [BarItem(name=name) for name, _, _ in self.items]
            for item in self._drawn:
                item.fbind("on_release", lambda item: self.dispatch("on_item", item.name))
                self.add_widget(item)
        for item, (_, icon, text) in zip(self._drawn, self.items, strict=True):
            item.icon, item.text = icon, text


def items(language: str, service: bool) -> list[tuple[str, str, str]]:
    """The bar's items; inside a service the last one ends it."""
    words = Words(language)
    last = ("shell.finish", "exit-to-app", "finish") if service else ("shell.manager", "phone", "manager")
    first = (
        ("shell.large", "format-size", "large"),
        ("shell.read", "volume-high", "read"),
        ("shell.language", "translate", "language"),
    )
    return [(name, icon, words(key)) for name, icon, key in (*first, last)]


load_rules(__file__)
