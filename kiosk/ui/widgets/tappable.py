"""What a finger can press: seen at once, done once."""

from typing import Any, ClassVar

from kivy.clock import Clock
from kivy.properties import BooleanProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface

#: The same finger reported by two input providers arrives within this time and distance.
TWIN_SECONDS = 0.15
TWIN_PIXELS = 40


class Tappable(Widget):
    """A mixin with `on_release`. `name` finds it (tests, the demo); `pressed` is true under a finger.

    With `once` a second tap is ignored until `rearm` is called: while the first is being handled.
    What is `personal` is not read aloud.
    """

    name = StringProperty("")
    pressed = BooleanProperty(False)
    once = BooleanProperty(False)
    personal = BooleanProperty(False)

    __events__ = ("on_release",)
    _last: ClassVar[tuple[str, float, float, float]] = ("", 0.0, 0.0, 0.0)

    def __init__(self, **kwargs: Any) -> None:
        self._spent = False
        super().__init__(**kwargs)

    def on_release(self) -> None:
        """The finger was lifted inside."""

    def rearm(self) -> None:
        """What the first tap began has ended: take taps again."""
        self._spent = False

    def on_touch_down(self, touch: Any) -> bool:
        if not self.collide_point(*touch.pos):
            return False
        if self.disabled or touch.is_mouse_scrolling or self.pressed or _twin(touch):
            return True
        touch.grab(self)
        self.pressed = True
        return True

    def on_touch_move(self, touch: Any) -> bool:
        if touch.grab_current is not self:
            return super().on_touch_move(touch)
        self.pressed = self.collide_point(*touch.pos)
        return True

    def on_touch_up(self, touch: Any) -> bool:
        if touch.grab_current is not self:
            return super().on_touch_up(touch)
        touch.ungrab(self)
        meant, self.pressed = self.pressed, False
        # A second finger may have changed the screen: what is no longer shown does nothing.
        if meant and not self.disabled and not self._spent and self.get_parent_window():
            self._spent = self.once
            self.dispatch("on_release")
        return True


class TapArea(Tappable, Surface, BoxLayout):
    """A pressable box with a ground, for a card or row of one's own."""


def _twin(touch: Any) -> bool:
    now = Clock.get_time()
    device, at, x, y = Tappable._last
    Tappable._last = (touch.device, now, touch.x, touch.y)
    reach = TWIN_PIXELS * theme.u
    return (
        device not in ("", touch.device)
        and now - at < TWIN_SECONDS
        and (abs(touch.x - x) < reach and abs(touch.y - y) < reach)
    )


load_rules(__file__)
