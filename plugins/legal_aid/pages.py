"""The pages of the screen: what stands on each. Layout in screen.kv, what happens in screen.py."""

from collections.abc import Callable
from typing import Any

from kivy.properties import BooleanProperty, ListProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.gridlayout import GridLayout
from kivy.uix.label import Label

from kiosk.ui.widgets.surface import Card, Surface


class Page(BoxLayout):
    """One page; `screen` is the LegalAidScreen around it."""

    screen = ObjectProperty(None)


class Matters(Page):
    """Six answers."""


class Times(Page):
    """Up to three cards of who is on, and the pager through them."""

    title = StringProperty("")
    note = StringProperty("")
    primary = StringProperty("")
    ready = BooleanProperty(False)
    page = NumericProperty(0)
    pages = NumericProperty(1)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # What shows nothing would still take its spacing.
        if self.pages < 2:
            self.ids.foot.remove_widget(self.ids.pager)
        if not self.note:
            self.remove_widget(self.ids.note)


class DutyCard(Card):
    """Who is on, for what, where, and the slots as chips."""

    mark = StringProperty("")
    title = StringProperty("")
    line = StringProperty("")


class Mark(Surface, AnchorLayout):
    """A tinted circle with one sign."""

    text = StringProperty("")


class Contact(Page):
    """Consent first, then digits."""

    chosen = StringProperty("")
    digits = StringProperty("")
    notice = StringProperty("")


class Kept(Page):
    """The telephone number in stars."""

    chosen = StringProperty("")
    phone = StringProperty("")


class LookUp(Page):
    """Digits of a booking."""

    digits = StringProperty("")
    notice = StringProperty("")


class Outcome(Page):
    """A title, perhaps a big number, where to go, what to do; `back` and `ahead` are the two buttons."""

    icon = StringProperty("")
    title = StringProperty("")
    good = BooleanProperty(False)
    caption = StringProperty("")
    number = StringProperty("")
    where = ListProperty()
    text = StringProperty("")
    note = StringProperty("")
    primary = StringProperty("")
    secondary = StringProperty("")

    def __init__(self, **kwargs: Any) -> None:
        self.back: Callable[[], object] = kwargs.pop("back", lambda: None)
        self.ahead: Callable[[], object] = kwargs.pop("ahead", lambda: None)
        super().__init__(**kwargs)
        # What shows nothing would still take its spacing.
        for column in (self.ids.what, self.ids.details):
            for label in [each for each in column.children if isinstance(each, Label) and not each.text]:
                column.remove_widget(label)


class Column(BoxLayout):
    """One half of an outcome: side by side in landscape."""


class Others(GridLayout):
    """Other times, as chips."""
