"""Icons as inline SVG, drawn from the outlines of the installed Material Design Icons font.

Inline, so that a page needs no icon font (1.3 MB) and shows the icon of any plugin's manifest.
"""

import importlib.util
import logging
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from markupsafe import Markup

#: The font's box: 512 units a side, the baseline 448 below the top.
_SIDE, _ASCENT = 512, 448
_UNKNOWN = "puzzle"
#: The font reads its file as glyphs are asked for, and pages are drawn on several threads.
_reading = Lock()


@cache
def _font() -> Any:
    from fontTools.ttLib import TTFont  # 80 ms, and only pages need it

    # The font carries two bytes too many in a table that is not used here; fontTools warns of it.
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    found = importlib.util.find_spec("fonticon_mdi7")
    assert found is not None, "fonticon-materialdesignicons7 is a dependency"
    assert found.origin is not None
    return TTFont(Path(found.origin).parent / "fonts" / "materialdesignicons-webfont.ttf", lazy=True)


@cache
def outline(name: str) -> str:
    """The SVG path of an icon in font units, y upwards; a puzzle piece for an unknown name."""
    from fontTools.pens.svgPathPen import SVGPathPen

    with _reading:
        glyphs = _font().getGlyphSet()
        pen = SVGPathPen(glyphs, ntos=lambda value: str(round(value)))
        glyphs[name if name in glyphs else _UNKNOWN].draw(pen)
        return str(pen.getCommands())


@cache
def icon(name: str) -> Markup:
    """An icon as inline SVG in the colour of its text; decoration, so screen readers skip it."""
    return Markup(
        '<svg class="icon" viewBox="0 0 {side} {side}" aria-hidden="true" focusable="false">'
        '<path fill="currentColor" transform="matrix(1 0 0 -1 0 {ascent})" d="{path}"/></svg>'
    ).format(side=_SIDE, ascent=_ASCENT, path=outline(name))
