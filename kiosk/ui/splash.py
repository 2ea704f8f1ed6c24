"""What is seen before the services are loaded, and when there is nothing else to show."""

from kivy.properties import StringProperty
from kivy.uix.floatlayout import FloatLayout

from kiosk.ui.widgets import load_rules


class Splash(FloatLayout):
    """A sign, a sentence, perhaps a number to call."""

    icon = StringProperty("")
    title = StringProperty("")
    text = StringProperty("")
    figure = StringProperty("")


load_rules(__file__)
