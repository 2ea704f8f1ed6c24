"""Icons by their Material Design name: `Icon: name: 'qrcode-scan'`."""

from typing import Any

from kivy.properties import AliasProperty, ColorProperty, NumericProperty, StringProperty
from kivy.uix.anchorlayout import AnchorLayout
from kivy.uix.label import Label

from kiosk.ui import fonts
from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface


class Icon(Label):
    """One sign of the icon font, `size_px` design pixels; an unknown name draws a plain dot."""

    name = StringProperty("")
    size_px = NumericProperty(64)

    def _get_sign(self) -> str:
        if not self.name:
            return ""
        names = fonts.icon_names()
        return names.get(self.name) or names.get("circle-medium", "•")

    def __init__(self, **kwargs: Any) -> None:
        # Once, not by a rule: a rule would undo the colour that somebody has set when the accent changes.
        kwargs.setdefault("color", theme.accent)
        kwargs.setdefault("font_name", theme.icons)
        kwargs.setdefault("size_hint", (None, None))
        super().__init__(**kwargs)
        theme.follow("u", self, "_resize")
        self.fbind("size_px", self._resize)
        self.fbind("name", self._show)
        self.fbind("color", self._recolour)
        self._resize()
        self._show()
        self._recolour()

    def _resize(self, *_: object) -> None:
        self.font_size = round(self.size_px * theme.u)
        self.size = self.font_size, self.font_size

    def _show(self, *_: object) -> None:
        self.text = self.sign

    def _recolour(self, *_: object) -> None:
        self.disabled_color = self.color

    sign = AliasProperty(_get_sign, None, bind=("name",), cache=True)


class IconSquare(Surface, AnchorLayout):
    """An icon in its colour on a tinted square."""

    icon = StringProperty("")
    icon_px = NumericProperty(62)
    colour = ColorProperty((0, 0, 0, 1))

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("fill", theme.accent_tint)
        kwargs.setdefault("colour", theme.accent)
        super().__init__(**kwargs)


load_rules(__file__)
