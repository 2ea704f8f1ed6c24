"""Buttons with words: one filled for what most people want, plain ones for the rest."""

from kivy.properties import ColorProperty, NumericProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout

from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface
from kiosk.ui.widgets.tappable import Tappable


class WordButton(Tappable, Surface, AnchorLayout):
    text = StringProperty("")
    icon = StringProperty("")
    ink = ColorProperty((0, 0, 0, 1))
    size_px = NumericProperty(48)


class PrimaryButton(WordButton):
    """The one filled button of a screen, in the service's colour."""


class SecondaryButton(WordButton):
    """An outlined button: back, other ways."""


load_rules(__file__)
