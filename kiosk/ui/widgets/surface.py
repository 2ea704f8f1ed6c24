"""What has a ground: a rounded fill, an outline, a soft shadow."""

from typing import Any

from kivy.graphics import BorderImage, Color
from kivy.properties import ColorProperty, NumericProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.ui import shapes
from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules

CLEAR = (0, 0, 0, 0)


class Surface(Widget):
    """A mixin that draws a ground below the widget's children. All lengths are in pixels.

    `fill` and `ring` draw nothing while their alpha is 0; `shadow` is its strength, 0 for none.
    """

    fill = ColorProperty(CLEAR)
    ring = ColorProperty(CLEAR)
    ring_width = NumericProperty(0)
    radius = NumericProperty(0)
    shadow = NumericProperty(0)
    shadow_tint = ColorProperty((0.35, 0.22, 0.1, 1))

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        with self.canvas.before:
            self._shadow_ink = Color(rgba=CLEAR)
            self._shadow_patch = BorderImage()
            self._fill_ink = Color(rgba=CLEAR)
            self._fill_patch = BorderImage()
            self._ring_ink = Color(rgba=CLEAR)
            self._ring_patch = BorderImage()
        self.fbind("pos", self._move)
        self.fbind("size", self._move)
        for name in ("fill", "ring", "shadow", "shadow_tint"):
            self.fbind(name, self._ink)
        for name in ("radius", "ring_width"):
            self.fbind(name, self._move)
        self._ink()
        self._move()

    def _ink(self, *_: object) -> None:
        self._fill_ink.rgba = self.fill
        self._ring_ink.rgba = self.ring
        self._shadow_ink.rgba = (*self.shadow_tint[:3], self.shadow)
        if self.shadow or self.ring[3]:
            self._move()

    def _move(self, *_: object) -> None:
        x, y = round(self.x), round(self.y)
        # Not `right` and `top`: while `size` is being dispatched they are still the old ones.
        width, height = round(self.x + self.width) - x, round(self.y + self.height) - y
        if width < 2 or height < 2:
            for patch in (self._fill_patch, self._ring_patch, self._shadow_patch):
                _hide(patch)
            return
        radius = int(min(self.radius, width / 2 - 0.5, height / 2 - 0.5))
        _place(self._fill_patch, shapes.disc(radius), (x, y), (width, height))
        if self.ring[3] and self.ring_width:
            _place(
                self._ring_patch,
                shapes.ring(radius, max(1, round(self.ring_width))),
                (x, y),
                (width, height),
            )
        else:
            _hide(self._ring_patch)
        if self.shadow:
            blur = max(2, round(18 * theme.u))
            drop = round(6 * theme.u)
            patch = shapes.glow(radius, blur)
            pos, size = (x - blur, y - blur - drop), (width + 2 * blur, height + 2 * blur)
            _place(self._shadow_patch, patch, pos, size)


class Card(Surface, BoxLayout):
    """A white rounded box with a soft shadow; as high as its children ask unless told otherwise."""


def _hide(image: BorderImage) -> None:
    # Its corners would still be drawn at a size of nothing.
    image.display_border = (0, 0, 0, 0)
    image.size = (0, 0)


def _place(image: BorderImage, patch: shapes.Patch, pos: tuple[int, int], size: tuple[int, int]) -> None:
    image.texture = patch.texture
    edge = min(patch.edge, size[0] // 2, size[1] // 2)
    image.border = (patch.edge,) * 4
    image.display_border = (edge,) * 4
    image.pos, image.size = pos, size


load_rules(__file__)
