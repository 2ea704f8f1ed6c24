"""One key of a pad."""

from typing import Any

from kivy.properties import BooleanProperty, NumericProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout

from kiosk.ui import fonts
from kiosk.ui.theme import shade, theme
from kiosk.ui.widgets.surface import Surface
from kiosk.ui.widgets.tappable import Tappable
from kiosk.ui.widgets.text import WrapText


class Key(Tappable, Surface, AnchorLayout):
    """`text` or `icon` is what it shows, `code` what it means; `strong` fills it with colour."""

    text = StringProperty("")
    icon = StringProperty("")
    code = StringProperty("")
    size_px = NumericProperty(56)
    strong = BooleanProperty(False)

    def __init__(self, **kwargs: Any) -> None:
        # One label for both, as a keyboard has fifty keys.
        self._label = WrapText(weight="bold", halign="center")
        super().__init__(**kwargs)
        self.add_widget(self._label)
        for name in ("text", "icon", "size_px", "strong"):
            self.fbind(name, self._letter)
        for name in ("strong", "pressed", "disabled"):
            self.fbind(name, self._paint)
        theme.follow("accent", self, "_paint")
        theme.follow("u", self, "_paint")
        self._letter()
        self._paint()

    def _letter(self, *_: object) -> None:
        label = self._label
        label.size_px = self.size_px
        label.font_name = theme.icons if self.icon else theme.bold
        label.text = fonts.icon_names().get(self.icon, "") if self.icon else self.text
        label.color = theme.colours.on_dark if self.strong else theme.colours.text

    def _paint(self, *_: object) -> None:
        colours = theme.colours
        self.radius = theme.radius_small
        self.ring_width = 0 if self.strong else round(3 * theme.u)
        self.ring = theme.accent if self.pressed else colours.line
        if not self.strong:
            self.fill = theme.accent_tint if self.pressed else colours.card
        elif self.disabled:
            self.fill = colours.outline
        else:
            self.fill = shade(theme.accent) if self.pressed else theme.accent
