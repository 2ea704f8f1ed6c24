"""One key of a pad."""

from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout

from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface
from kiosk.ui.widgets.tappable import Tappable


class Key(Tappable, Surface, AnchorLayout):
    """`text` or `icon` is what it shows, `code` what it means; `strong` fills it with colour."""

    text = StringProperty("")
    icon = StringProperty("")
    code = StringProperty("")
    size_px = NumericProperty(56)
    strong = BooleanProperty(False)


load_rules(__file__)
