"""The head of the home screen: which station this is, and what time it is."""

from kivy.properties import StringProperty
from kivy.uix.boxlayout import BoxLayout

from kiosk.ui.widgets import load_rules


class StationHeader(BoxLayout):
    """All properties are words ready to show; `note` is the network state when there is something to say."""

    name = StringProperty("")
    about = StringProperty("")
    note = StringProperty("")
    time = StringProperty("")
    date = StringProperty("")


load_rules(__file__)
