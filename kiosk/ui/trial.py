"""Tries the fonts or a window and says in one JSON line how it went: `python -m kiosk.ui.trial fonts HOME`.

A process of its own for `yizhan doctor`, beside a kiosk that may be running: the window stays hidden.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from kiosk.ui import environment, fonts

HAN: Final = "驿"
#: Never a letter, so every face draws its sign for what it does not have.
NO_LETTER: Final = "\u0378"
RED: Final = bytes([255, 0, 0, 255])


def try_fonts() -> dict[str, Any]:
    """Which files lack, and which faces draw a Chinese letter like one that they do not have."""
    folder = fonts.folder()
    wanted = [*fonts.COLLECTIONS, fonts.ICON_FONT, fonts.ICON_NAMES]
    missing = [name for name in wanted if not (folder / name).is_file()]
    faces = [name for name in fonts.COLLECTIONS if name not in missing]
    without = [name for name in faces if _drawn(folder / name, HAN) == _drawn(folder / name, NO_LETTER)]
    return {"folder": str(folder), "missing": missing, "without_han": without}


def _drawn(file: Path, letter: str) -> bytes:
    """The letter's pixels as the screen draws them; nothing if the file is no font."""
    from kivy.core.text import Label

    # Below Kivy's labels, because those need a window, and fonts are judged without one too.
    from kivy.core.text._text_sdl2 import _SurfaceContainer

    label = Label(text=letter, font_name=str(file), font_size=32, color=(1, 1, 1, 1))
    surface = _SurfaceContainer(48, 64)
    try:
        label.resolve_font_name()
        surface.render(label, letter, 0, 0)
    except (ValueError, OSError):
        return b""
    return bytes(surface.get_data().data)


def try_window() -> dict[str, Any]:
    """Whether a red square drawn is red, and what draws it."""
    from kivy.config import Config

    Config.set("graphics", "window_state", "hidden")
    from kivy.core.window import Window
    from kivy.graphics import Color, Fbo, Rectangle
    from kivy.graphics.opengl import GL_RENDERER, glGetString

    assert Window is not None, "Kivy found no way to make a window"
    square = Fbo(size=(8, 8))
    with square:
        Color(1, 0, 0, 1)
        Rectangle(size=(8, 8))
    square.draw()
    return {"drawn": bytes(square.pixels[:4]) == RED, "renderer": glGetString(GL_RENDERER).decode()}


TRIALS: Final[dict[str, Callable[[], dict[str, Any]]]] = {"fonts": try_fonts, "window": try_window}


def main(arguments: list[str]) -> int:
    """Run one trial with Kivy's own folder in HOME; 2 for a call that makes no sense."""
    if len(arguments) != 2 or arguments[0] not in TRIALS:
        return 2
    environment.prepare(Path(arguments[1]), (64, 64))
    sys.stdout.write(json.dumps(TRIALS[arguments[0]]()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
