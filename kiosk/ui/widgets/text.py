"""Labels that wrap by themselves: their height follows from their width."""

import math
from functools import lru_cache, partial
from typing import Any

from kivy.core.text import Label as CoreLabel
from kivy.properties import AliasProperty, BooleanProperty, NumericProperty, StringProperty
from kivy.uix.label import Label

from kiosk.ui import linebreak
from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules


class WrapText(Label):
    """A label as wide as it is given and as high as its text needs; `max_lines` of 0 sets no limit.

    With `fixed_height` the parent decides the height. `lines` is what is drawn.
    """

    max_lines = NumericProperty(0)
    fixed_height = BooleanProperty(False)
    weight = StringProperty("regular")
    size_px = NumericProperty(40)
    cut = BooleanProperty(False)

    def _get_font(self) -> str:
        return theme.bold if self.weight == "bold" else theme.font

    face = AliasProperty(_get_font, None, bind=("weight",), cache=True)

    def _get_natural_width(self) -> float:
        lines = self.text.split("\n")
        return math.ceil(max(_measure(self.font_name, self.font_size, line) for line in lines)) + 1

    #: How wide it would be without wrapping.
    natural_width = AliasProperty(
        _get_natural_width, None, bind=("text", "font_name", "font_size"), cache=True
    )

    def _get_text_x(self) -> float:
        free = self.width - self.texture_size[0]
        return round(self.x + {"center": free / 2, "right": free}.get(self.halign, 0))

    text_x = AliasProperty(_get_text_x, None, bind=("x", "width", "texture_size", "halign"), cache=True)

    def __init__(self, **kwargs: Any) -> None:
        self.lines: list[str] = []
        super().__init__(**kwargs)

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


class TitleText(WrapText):
    """The question or headline of a screen."""


class BodyText(WrapText):
    """Running text."""


class CaptionText(WrapText):
    """A side note; never smaller than 28 design pixels."""


class NumberText(WrapText):
    """A big figure: a waiting number, a price."""


class LabelText(WrapText):
    """The name of a thing on a button or in a card's head."""


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
