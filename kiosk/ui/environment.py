"""Kivy's environment for a kiosk: set before Kivy is imported, so nothing here imports it at the top.

No arguments, files, inspector or settings panel of Kivy's own; one touch provider; Escape closes nothing.
"""

import logging
import os
from pathlib import Path


def prepare(home: Path, size: tuple[int, int] | None = None, fullscreen: bool = False) -> None:
    """Set Kivy up with its private folder `home`; `size` in pixels, None for the whole screen."""
    home.mkdir(parents=True, exist_ok=True)
    os.environ.update(
        KIVY_NO_ARGS="1",
        KIVY_HOME=str(home),
        KIVY_NO_FILELOG="1",
        KIVY_NO_CONSOLELOG="1",
        KIVY_NO_ENV_CONFIG="1",
        KIVY_LOG_MODE="PYTHON",
        # A touch screen's touches reach Kivy as SDL's mouse; touches of their own would be the same twice.
        SDL_TOUCH_MOUSE_EVENTS="1",
        SDL_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR="0",
    )
    logging.getLogger("kivy").addFilter(_worth_a_line)
    from kivy.config import Config

    for option in Config.options("input"):
        Config.remove_option("input", option)
    Config.set("input", "mouse", "mouse,disable_multitouch")
    Config.set("kivy", "exit_on_escape", "0")
    Config.set("kivy", "log_enable", "0")
    Config.set("kivy", "window_icon", "")
    Config.set("kivy", "keyboard_mode", "system")
    Config.set("kivy", "desktop", "0")
    Config.set("graphics", "resizable", "1")
    Config.set("graphics", "multisamples", "0")
    Config.set("graphics", "maxfps", "60")
    for option in Config.options("modules"):
        Config.remove_option("modules", option)
    if size is not None:
        Config.set("graphics", "width", str(size[0]))
        Config.set("graphics", "height", str(size[1]))
    Config.set("graphics", "fullscreen", "auto" if fullscreen else "0")


def _worth_a_line(record: logging.LogRecord) -> bool:
    # Kivy tells at length what it has found, and that a fresh home gets a configuration.
    return record.levelno >= logging.WARNING and not record.getMessage().startswith("Config:")
