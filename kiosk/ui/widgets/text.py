"""Labels that wrap by themselves: their height follows from their width.

Written without kv rules of their own: there are dozens on a screen, and a rule costs a millisecond for each.
"""

import math
from functools import lru_cache, partial
from typing import Any, ClassVar

from kivy.core.text import Label as CoreLabel
from kivy.graphics import Color, Rectangle
from kivy.properties import AliasProperty, BooleanProperty, NumericProperty, StringProperty
from kivy.uix.label import Label

from kiosk.ui import linebreak
from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules


class WrapText(Label):
    """A label as wide as it is given and as high as its text needs; `max_lines` of 0 sets no limit.

    `size_px` is the type size on the design screen, `weight` is "regular" or "bold". With `fixed_height` the
    parent decides the height. `lines` is what is drawn, `cut` whether some of the text is not. What is
    `personal` is not read aloud.
    """

    font_size: Any  # Kivy's, declared for the type checker
    max_lines = NumericProperty(0)
    fixed_height = BooleanProperty(False)
    weight = StringProperty("regular")
    size_px = NumericProperty(40)
    cut = BooleanProperty(False)
    personal = BooleanProperty(False)

    #: What a subclass looks like unless told otherwise; `ink` names a colour of the palette.
    look: ClassVar[dict[str, Any]] = {}

    def _get_natural_width(self) -> float:
        lines = self.text.split("\n")
        return math.ceil(max(_measure(self.font_name, self.font_size, line) for line in lines)) + 1

    #: How wide it would be without wrapping.
    natural_width = AliasProperty(
        _get_natural_width, None, bind=("text", "font_name", "font_size"), cache=True
    )

    def __init__(self, **kwargs: Any) -> None:
        self.lines: list[str] = []
        look = {"ink": "text", **self.look}
        kwargs.setdefault("color", getattr(theme.colours, look.pop("ink")))
        for name, value in look.items():
            kwargs.setdefault(name, value)
        kwargs.setdefault("halign", "left")
        kwargs.setdefault("font_name", theme.bold if kwargs.get("weight") == "bold" else theme.font)
        if "font_size" not in kwargs:
            kwargs["font_size"] = round(kwargs.get("size_px", 40) * theme.type_scale)
        if not kwargs.get("fixed_height"):
            kwargs.setdefault("size_hint_y", None)
        self._paint: Rectangle | None = None
        self._sized: float = kwargs["font_size"]
        super().__init__(**kwargs)
        with self.canvas:
            Color(1, 1, 1, 1)
            self._paint = Rectangle()
        theme.follow("type_scale", self, "_resize")
        for name, follow in (
            ("size_px", self._resize),
            ("weight", self._reface),
            ("color", self._recolour),
            ("width", self._rewidth),
            ("max_lines", self._trigger_texture),
            ("texture_size", self._grow),
            ("pos", self._place),
            ("size", self._place),
            ("halign", self._place),
        ):
            self.fbind(name, follow)
        self.disabled_color = self.color
        self._rewidth()
        self._grow()

    def texture_update(self, *_: object) -> None:
        """Break the lines for the width that is there, then draw."""
        width = self.text_size[0]
        measure = partial(_measure, self.font_name, self.font_size)
        if width and self.text:
            self.lines = linebreak.wrap(self.text, width, measure)
            limit = int(self.max_lines)
            self.cut = bool(limit) and len(self.lines) > limit
            if self.cut:
                self.lines = self.lines[:limit]
                self.lines[-1] = _shorten(self.lines[-1], width, measure)
        else:
            self.lines, self.cut = self.text.split("\n"), False
        self._label.text = "\n".join(self.lines)
        self._label.usersize = (None, None)
        super().texture_update()
        if self._paint is not None:
            self._paint.texture = self.texture
            self._place()

    def _resize(self, *_: object) -> None:
        # Whoever has set a font size of his own keeps it.
        if self.font_size == self._sized:
            self._sized = round(self.size_px * theme.type_scale)
            self.font_size = self._sized

    def _reface(self, *_: object) -> None:
        self.font_name = theme.bold if self.weight == "bold" else theme.font

    def _recolour(self, *_: object) -> None:
        self.disabled_color = self.color

    def _rewidth(self, *_: object) -> None:
        self.text_size = (self.width if self.width > 1 else None, None)

    def _grow(self, *_: object) -> None:
        if not self.fixed_height:
            self.height = self.texture_size[1]

    def _place(self, *_: object) -> None:
        if self._paint is None:
            return
        width, height = self.texture_size if self.texture else (0, 0)
        free = self.width - width
        x = self.x + {"center": free / 2, "right": free}.get(self.halign, 0)
        self._paint.size = width, height
        self._paint.pos = round(x), round(self.y + (self.height - height) / 2)


class TitleText(WrapText):
    """The question or headline of a screen."""

    look: ClassVar = {"weight": "bold", "size_px": 56}


class BodyText(WrapText):
    """Running text."""


class CaptionText(WrapText):
    """A side note; never smaller than 28 design pixels."""

    look: ClassVar = {"size_px": 30, "ink": "muted"}


class NumberText(WrapText):
    """A big figure: a waiting number, a price."""

    look: ClassVar = {"weight": "bold", "size_px": 72}


class LabelText(WrapText):
    """The name of a thing on a button or in a card's head."""

    look: ClassVar = {"weight": "bold", "size_px": 44}


def _shorten(line: str, width: float, measure: Any) -> str:
    while line and measure(line + "…") > width:
        line = line[:-1]
    return line + "…"


def _measure(font: str, size: float, text: str) -> float:
    return sum(_advance(font, size, sign) for sign in text)


@lru_cache(maxsize=8192)
def _advance(font: str, size: float, sign: str) -> float:
    return float(_ruler(font, size).get_extents(sign)[0])


@lru_cache(maxsize=64)
def _ruler(font: str, size: float) -> Any:
    ruler = CoreLabel(font_name=font, font_size=size)
    ruler.resolve_font_name()
    return ruler


load_rules(__file__)
