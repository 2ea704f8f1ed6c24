"""What lies over the whole screen for a while: the manager's phone, the countdown, the idle picture."""

from typing import Any

from kivy.properties import NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout

from kiosk.tile import Stage
from kiosk.ui.stage_view import StageView
from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.button import SecondaryButton


class Overlay(FloatLayout):
    """Takes every touch, so that what lies below is out of reach."""

    covers = True

    def on_touch_down(self, touch: Any) -> bool:
        super().on_touch_down(touch)
        return True

    def on_touch_move(self, touch: Any) -> bool:
        super().on_touch_move(touch)
        return True

    def on_touch_up(self, touch: Any) -> bool:
        super().on_touch_up(touch)
        return True


class Dialog(Overlay):
    """A card over the dimmed screen; `on_close` tells of its button, `on_choose` of a second one above it."""

    icon = StringProperty("")
    title = StringProperty("")
    text = StringProperty("")
    figure = StringProperty("")
    note = StringProperty("")
    button = StringProperty("")
    second = StringProperty("")

    __events__ = ("on_close", "on_choose")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.second:
            button = SecondaryButton(name="shell.second", text=self.second)
            button.fbind("on_release", lambda _: self.dispatch("on_choose"))
            self.ids.card.add_widget(button, index=1)

    def on_close(self) -> None:
        """The button was tapped."""

    def on_choose(self) -> None:
        """The second button was tapped."""


class Countdown(Overlay):
    """Nobody has touched for a while: says so in full size; one tap anywhere goes on."""

    title = StringProperty("")
    text = StringProperty("")
    seconds = NumericProperty(30)

    __events__ = ("on_stay",)

    def on_stay(self) -> None:
        """Somebody is still there."""


class IdleView(Overlay):
    """The stage in full, with the time; the shell takes it away at the first touch, which presses nothing."""

    time = StringProperty("")
    date = StringProperty("")
    station = StringProperty("")
    invitation = StringProperty("")

    def __init__(self, player: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stage = StageView(player=player, rounded=False)
        self.add_widget(self.stage, index=len(self.children))

    def show(self, stage: Stage | None, title: str, line: str) -> None:
        """Take what is on."""
        self.stage.show(stage, title, line)


class FallbackCard(BoxLayout):
    """In place of a service that does not work: what happened, what to do now, who can help."""

    title = StringProperty("")
    text = StringProperty("")
    figure = StringProperty("")
    button = StringProperty("")

    __events__ = ("on_home",)

    def on_home(self) -> None:
        """Back to the other services."""


load_rules(__file__)
