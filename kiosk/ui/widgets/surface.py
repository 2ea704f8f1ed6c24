"""What has a ground: a rounded fill, an outline, a soft shadow."""

from typing import Any

from kivy.graphics import Color
from kivy.properties import ColorProperty, NumericProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.ui import shapes
from kiosk.ui.shapes import AROUND, PatchMesh
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
            self._shadow_mesh = PatchMesh(AROUND)
            self._fill_ink = Color(rgba=CLEAR)
            self._fill_mesh = PatchMesh()
            self._ring_ink = Color(rgba=CLEAR)
            self._ring_mesh = PatchMesh(AROUND)
        for name in ("fill", "ring", "shadow", "shadow_tint"):
            self.fbind(name, self._ink)
        for name in ("pos", "size", "radius", "ring_width"):
            self.fbind(name, self._move)
        self._ink()

    def _ink(self, *_: object) -> None:
        drawn = bool(self._fill_ink.a), bool(self._ring_ink.a), bool(self._shadow_ink.a)
        self._fill_ink.rgba = self.fill
        self._ring_ink.rgba = self.ring
        self._shadow_ink.rgba = (*self.shadow_tint[:3], self.shadow)
        if drawn != (bool(self.fill[3]), bool(self.ring[3]), bool(self.shadow)):
            self._move()

    def _move(self, *_: object) -> None:
        x, y = round(self.x), round(self.y)
        # Not `right` and `top`: while `size` is being dispatched they are still the old ones.
        width, height = round(self.x + self.width) - x, round(self.y + self.height) - y
        seen = width > 1 and height > 1
        radius = max(0, int(min(self.radius, width / 2 - 0.5, height / 2 - 0.5)))
        if seen and self.fill[3]:
            self._fill_mesh.place(shapes.disc(radius), x, y, width, height)
        else:
            self._fill_mesh.hide()
        if seen and self.ring[3] and self.ring_width:
            patch = shapes.ring(radius, max(1, round(self.ring_width)))
            self._ring_mesh.place(patch, x, y, width, height)
        else:
            self._ring_mesh.hide()
        if seen and self.shadow:
            blur, drop = max(2, round(18 * theme.u)), round(6 * theme.u)
            patch = shapes.glow(radius, blur)
            self._shadow_mesh.place(patch, x - blur, y - blur - drop, width + 2 * blur, height + 2 * blur)
        else:
            self._shadow_mesh.hide()


class Card(Surface, BoxLayout):
    """A white rounded box with a soft shadow; as high as its children ask unless told otherwise."""


load_rules(__file__)
