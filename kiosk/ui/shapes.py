"""Rounded shapes and soft shadows as nine-patch textures, made once per size.

Kivy's RoundedRectangle has jagged corners and BoxShadow runs a shader over every pixel on each frame, which
a software renderer feels; a nine-patch is a few textured quads.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from kivy.graphics import Mesh
from kivy.graphics.texture import Texture

#: Which of the nine parts are drawn: a shadow needs no middle, rounded corners no sides.
WHOLE: Final = (0, 1, 2, 3, 4, 5, 6, 7, 8)
AROUND: Final = (0, 1, 2, 3, 5, 6, 7, 8)
CORNERS: Final = (0, 2, 6, 8)


@dataclass(frozen=True)
class Patch:
    """A texture whose four corners of `edge` pixels keep their size when it is stretched."""

    texture: Any
    edge: int


class PatchMesh(Mesh):
    """Draws the wanted parts of a patch into a box; every pixel left out is time won on each frame."""

    def __init__(self, parts: tuple[int, ...] = WHOLE) -> None:
        super().__init__(mode="triangles")
        self._indices = [
            corner + 4 * (part // 3) + part % 3 for part in parts for corner in (0, 1, 5, 0, 5, 4)
        ]

    def place(self, patch: Patch, x: float, y: float, width: float, height: float) -> None:
        """Stretch the patch over the box; corners shrink when it is too small for them."""
        edge = min(patch.edge, width / 2, height / 2)
        share = patch.edge / patch.texture.width
        columns = ((x, 0.0), (x + edge, share), (x + width - edge, 1 - share), (x + width, 1.0))
        rows = ((y, 0.0), (y + edge, share), (y + height - edge, 1 - share), (y + height, 1.0))
        self.texture = patch.texture
        self.vertices = [n for py, v in rows for px, u in columns for n in (px, py, u, v)]
        self.indices = self._indices

    def hide(self) -> None:
        """Draw nothing."""
        self.indices = []


@lru_cache(maxsize=64)
def disc(radius: int) -> Patch:
    """A filled rounded rectangle."""
    return _patch(max(1, radius), lambda d: 0.5 - d, radius)


@lru_cache(maxsize=64)
def outside(radius: int) -> Patch:
    """What lies outside a rounded rectangle: drawn in the ground's colour, it rounds a picture's corners."""
    return _patch(radius + 1, lambda d: 0.5 + d + 1, radius + 1)


@lru_cache(maxsize=64)
def ring(radius: int, width: int) -> Patch:
    """The outline of a rounded rectangle, `width` pixels inwards."""
    return _patch(max(radius, width, 1), lambda d: min(0.5 - d, 0.5 + d + width), radius)


@lru_cache(maxsize=64)
def glow(radius: int, blur: int) -> Patch:
    """The shadow of a rounded rectangle; it reaches `blur` pixels beyond it on all sides."""
    sigma = max(0.5, blur / 2.2)
    return _patch(
        radius + 2 * blur, lambda d: 0.5 * math.erfc((d + blur) / (sigma * math.sqrt(2))), radius + blur
    )


def _patch(edge: int, alpha: Callable[[float], float], radius: int) -> Patch:
    """A square texture of two edges and a middle; `alpha` maps the distance from the outline, inside < 0."""
    # Both sides of the diagonal are the same, and beyond the corner distances change in one axis only.
    line = [_byte(alpha(-x - 0.5)) for x in range(edge + 1)]
    lines: list[bytes] = []
    for y in range(edge):
        row = bytearray(line[min(x, y)] for x in range(edge))
        for x in range(min(edge, radius) if y < radius else 0):
            row[x] = lines[x][y] if x < y else _byte(alpha(_outside(x, y, radius)))
        lines.append(bytes(row))
    half = [row + bytes((line[y],)) + row[::-1] for y, row in enumerate(lines)]
    middle = bytes(line[:edge])
    rows = [*half, middle + bytes((line[edge],)) + middle[::-1], *half[::-1]]
    side = 2 * edge + 1
    pixels = bytearray(b"\xff") * (4 * side * side)
    pixels[3::4] = b"".join(rows)
    texture = Texture.create(size=(side, side), colorfmt="rgba")
    texture.blit_buffer(bytes(pixels), colorfmt="rgba", bufferfmt="ubyte")
    texture.wrap = "clamp_to_edge"
    return Patch(texture, edge)


def _outside(x: float, y: float, radius: int) -> float:
    # Distance of a pixel's centre from the rounded corner at (0, 0), whose circle lies at (radius, radius).
    dx, dy = radius - x - 0.5, radius - y - 0.5
    if dx > 0 and dy > 0:
        return math.hypot(dx, dy) - radius
    return max(dx, dy) - radius


def _byte(alpha: float) -> int:
    return round(255 * min(1.0, max(0.0, alpha)))
