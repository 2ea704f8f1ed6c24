"""What the shell draws around a service's screen: coloured head, step bar, bottom bar."""

from typing import Any

from kivy.properties import BooleanProperty, ListProperty, NumericProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.ui.bar import BottomBar
from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.step_bar import StepBar
from kiosk.ui.widgets.surface import Surface


class ServiceHead(Surface, BoxLayout):
    """Icon, title and a line on the service's colour; in landscape a column on the left."""

    icon = StringProperty("")
    title = StringProperty("")
    line = StringProperty("")
    upright = BooleanProperty(False)


class ServiceFrame(BoxLayout):
    """Holds one body: between head and bar in portrait, right of both in landscape."""

    icon = StringProperty("")
    title = StringProperty("")
    line = StringProperty("")
    steps = ListProperty()
    step = NumericProperty(0)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        upright = theme.landscape
        self.orientation = "horizontal" if upright else "vertical"
        self.head = ServiceHead(upright=upright)
        self.bar = BottomBar()
        self._steps = StepBar()
        self._steps_room = StepsRoom()
        self._middle = BoxLayout(orientation="vertical")
        self._middle.add_widget(self._steps_room)
        self._body: Widget = Widget()
        self._middle.add_widget(self._body)
        if upright:
            self.bar.rows = 2
            self.bar.top_line = 0
            column = HeadColumn(orientation="vertical")
            column.add_widget(self.head)
            column.add_widget(self.bar)
            self.add_widget(column)
            self.add_widget(self._middle)
        else:
            for part in (self.head, self._middle, self.bar):
                self.add_widget(part)
        for name in ("icon", "title", "line"):
            self.fbind(name, lambda _, value, name=name: setattr(self.head, name, value))
        for name in ("icon", "title", "line"):
            setattr(self.head, name, getattr(self, name))
        self.fbind("steps", self._show_steps)
        self.fbind("step", self._show_steps)
        theme.follow("u", self, "_measure")
        self._measure()

    def show(self, body: Widget) -> None:
        """Put a body in the place of the one before."""
        self._middle.remove_widget(self._body)
        self._body = body
        self._middle.add_widget(body)

    def _show_steps(self, *_: object) -> None:
        self._steps.steps, self._steps.step = self.steps, self.step
        self._steps_room.clear_widgets()
        if self.steps:
            self._steps_room.add_widget(self._steps)

    def _measure(self, *_: object) -> None:
        self.bar.size_hint_y = None
        self.bar.height = theme.bar_height * (2 if theme.landscape else 1)


class StepsRoom(BoxLayout):
    pass


class HeadColumn(BoxLayout):
    pass


load_rules(__file__)
