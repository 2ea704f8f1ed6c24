"""One of several answers, big: an icon, the answer, a line that explains it."""

from kivy.properties import BooleanProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface
from kiosk.ui.widgets.tappable import Tappable


class ChoiceButton(Tappable, Surface, BoxLayout):
    """At most six of them a screen; `selected` shows the answer that was given."""

    text = StringProperty("")
    line = StringProperty("")
    icon = StringProperty("")
    selected = BooleanProperty(False)


load_rules(__file__)
