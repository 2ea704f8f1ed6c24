"""Back and next through pages: nothing scrolls."""

from kivy.properties import NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from kiosk.ui.widgets import load_rules


class Pager(BoxLayout):
    """`page` counts from 0; `on_page` tells of a change. With one page nothing is drawn.

    Buttons are named `{name}.previous` and `{name}.next`. The words come from the screen: `previous`, `next`,
    and `label` between them, by default "1 / 3".
    """

    name = StringProperty("pager")
    page = NumericProperty(0)
    pages = NumericProperty(1)
    previous = StringProperty("")
    next = StringProperty("")
    label = StringProperty("")

    def turn(self, by: int) -> None:
        """Go on or back, within the pages."""
        self.page = max(0, min(int(self.pages) - 1, int(self.page) + by))


load_rules(__file__)
