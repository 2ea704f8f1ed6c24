"""The foot of a service's screen: back on the left, the one thing to do on the right."""

from kivy.properties import BooleanProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from kiosk.ui.widgets import load_rules


class ButtonRow(BoxLayout):
    """`on_back` and `on_next` tell of the taps; an empty text leaves a button out.

    The buttons are named `{name}.back` and `{name}.next`. With `once` the primary button takes one tap until
    `rearm`.
    """

    name = StringProperty("row")
    secondary = StringProperty("")
    primary = StringProperty("")
    primary_icon = StringProperty("")
    primary_disabled = BooleanProperty(False)
    once = BooleanProperty(False)

    __events__ = ("on_back", "on_next")

    def on_back(self) -> None:
        """The left button."""

    def on_next(self) -> None:
        """The right, filled button."""

    def rearm(self) -> None:
        """Take taps on the primary button again."""
        self.ids.primary.rearm()


load_rules(__file__)
