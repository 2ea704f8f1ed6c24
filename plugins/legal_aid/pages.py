"""The pages of the screen: what stands on each. Layout in screen.kv, what happens in screen.py."""

from collections.abc import Callable
from typing import Any

from kivy.properties import BooleanProperty, ListProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.boxlayout import BoxLayout

from kiosk.ui.widgets.surface import Card, Surface


class Page(BoxLayout):
    """One page; `screen` is the LegalAidScreen around it."""

    screen = ObjectProperty(None)


class Matters(Page):
    """Six answers."""


class Times(Page):
    """Up to three cards of who is on, and the pager through them."""

    title = StringProperty("")
    notice = StringProperty("")
    notice_kind = StringProperty("info")
    primary = StringProperty("")
    ready = BooleanProperty(False)
    page = NumericProperty(0)
    pages = NumericProperty(1)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # What shows nothing would still take its spacing.
        if self.pages < 2:
            self.remove_widget(self.ids.pager)
        if not self.notice:
            self.remove_widget(self.ids.notice)


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
