"""How far one is in a service: a bar for each step, its name below."""

from typing import Any

from kivy.properties import BooleanProperty, ListProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface
from kiosk.ui.widgets.text import WrapText


class StepBar(BoxLayout):
    """`steps` are the names, `step` is the current one from 1; 0 hides nothing but marks none."""

    steps = ListProperty()
    step = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fbind("steps", self._build)
        self.fbind("step", self._mark)
        self._build()

    def _build(self, *_: object) -> None:
        self.clear_widgets()
        for number, name in enumerate(self.steps, 1):
            self.add_widget(Step(text=f"{number} {name}"))
        self._mark()

    def _mark(self, *_: object) -> None:
        for number, step in enumerate(reversed(self.children), 1):
            step.reached = number <= self.step


class Step(BoxLayout):
    text = StringProperty("")
    reached = BooleanProperty(False)


class StepLine(Surface):
    pass


class StepText(WrapText):
    pass


load_rules(__file__)
