"""A small answer in a row of like ones: a time, a filter."""

from kivy.properties import BooleanProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout

from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface
from kiosk.ui.widgets.tappable import Tappable


class Chip(Tappable, Surface, AnchorLayout):
    """Outlined while free, filled while selected, faint while disabled."""

    text = StringProperty("")
    selected = BooleanProperty(False)


load_rules(__file__)
