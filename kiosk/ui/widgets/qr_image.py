"""A QR code, drawn from its own modules: sharp at any size."""

from typing import Any

from kivy.graphics import Color, Rectangle
from kivy.graphics.texture import Texture
from kivy.properties import NumericProperty, StringProperty
from kivy.uix.widget import Widget

from kiosk.ui.widgets import load_rules

QUIET = 4


class QRImage(Widget):
    """`data` as a code with its quiet zone, as large as fits; error correction M."""

    data = StringProperty("")
    side_px = NumericProperty(480)

    def __init__(self, **kwargs: Any) -> None:
        self._modules = 0
        super().__init__(**kwargs)
        with self.canvas:
            self._ink = Color(1, 1, 1, 0)
            self._image = Rectangle()
        self.fbind("data", self._encode)
        self.fbind("pos", self._move)
        self.fbind("size", self._move)
        self._encode()

    def _encode(self, *_: object) -> None:
        self._ink.a = 1 if self.data else 0
        if not self.data:
            return
        import segno  # costs start-up time and is needed by few screens

        rows = [bytes(row) for row in segno.make(self.data, error="m", micro=False).matrix]
        self._modules = len(rows) + 2 * QUIET
        blank = b"\xff" * self._modules
        lines = [blank] * QUIET
        for row in reversed(rows):
            lines.append(b"\xff" * QUIET + bytes(0 if dark else 255 for dark in row) + b"\xff" * QUIET)
        lines += [blank] * QUIET
        texture = Texture.create(size=(self._modules,) * 2, colorfmt="rgba")
        texture.mag_filter = texture.min_filter = "nearest"
        pixels = b"".join(bytes((each, each, each, 255)) for line in lines for each in line)
        texture.blit_buffer(pixels, colorfmt="rgba", bufferfmt="ubyte")
        self._image.texture = texture
        self._move()

    def _move(self, *_: object) -> None:
        if not self._modules:
            return
        # Whole pixels a module: uneven ones are hard to scan.
        side = int(min(self.width, self.height)) // self._modules * self._modules
        self._image.size = (side, side)
        self._image.pos = (round(self.center_x - side / 2), round(self.center_y - side / 2))


load_rules(__file__)
