"""Draw one screen of a plugin to a PNG, without a station: for who writes a plugin.

    python -m kiosk.ui.preview plugins.check_in.screen:CheckInScreen out.png --language en --large --landscape
    python -m kiosk.ui.preview check_in out.png --route "" --call "show_done()"

The first argument is a screen class, or a plugin's id (its `screen` hook is called with --route). `--fill
posts=rows.json` fills a collection; `--call` runs an expression on the screen (`screen`, `station`) first.
"""

import argparse
import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any


def main(argv: list[str] | None = None) -> int:
    """Write the picture; returns 0."""
    parser = argparse.ArgumentParser(prog="kiosk.ui.preview", description=__doc__)
    parser.add_argument("screen", help="module:Class, or a plugin id")
    parser.add_argument("png", type=Path)
    parser.add_argument("--route", default="")
    parser.add_argument("--language", default="zh", choices=("zh", "en"))
    parser.add_argument("--large", action="store_true")
    parser.add_argument("--landscape", action="store_true")
    parser.add_argument("--size", default="", help="WxH in pixels")
    parser.add_argument("--fill", action="append", default=[], help="COLLECTION=FILE.json")
    parser.add_argument("--fact", action="append", default=[], help="trade=courier")
    parser.add_argument("--call", action="append", default=[])
    options = parser.parse_args(argv)
    if options.size:
        width, height = (int(each) for each in options.size.split("x"))
    else:
        width, height = (1920, 1080) if options.landscape else (1080, 1920)
    os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
    os.environ.setdefault("SDL_AUDIODRIVER", "dummy")
    with tempfile.TemporaryDirectory() as home:
        from kiosk.ui import environment

        environment.prepare(Path(home), (width, height))
        _draw(options)
    return 0


def _draw(options: argparse.Namespace) -> None:
    from kivy.base import EventLoop
    from kivy.clock import Clock
    from kivy.core.window import Window

    from kiosk import ui_thread
    from kiosk.testing import FakeStation
    from kiosk.ui import picture
    from kiosk.ui.bar import items
    from kiosk.ui.frame_of import dress
    from kiosk.ui.service_frame import ServiceFrame
    from kiosk.ui.theme import theme

    theme.fit(*Window.system_size)
    theme.large = options.large
    Window.clearcolor = theme.colours.background
    module, _, name = options.screen.partition(":")
    plugin = module.split(".")[1] if name else module
    facts = dict(each.split("=", 1) for each in options.fact)
    with FakeStation(plugin, language=options.language, facts=facts) as station:
        station.session.large_text = options.large
        for each in options.fill:
            collection, _, file = each.partition("=")
            station.fill(collection, json.loads(Path(file).read_text(encoding="utf-8")))
        theme.service = station.plugin.colour
        if name:
            screen = getattr(importlib.import_module(module), name)(station)
        else:
            screen = station.hook("screen", options.route)
        frame = ServiceFrame()
        frame.bar.items = items(options.language, service=True)
        frame.show(screen)
        Window.add_widget(frame)
        scope: dict[str, Any] = {"screen": screen, "station": station}

        def frames(count: int) -> None:
            for _ in range(count):
                dress(frame, screen, station)
                station.settle()
                ui_thread.advance(0.1)
                EventLoop.idle()

        frames(3)
        if hasattr(screen, "on_refresh"):
            screen.on_refresh()
        for call in options.call:
            eval(call, scope)
            frames(2)
        frames(3)
        Clock.tick()
        picture.take(options.png)
    sys.stdout.write(f"{options.png}\n")


if __name__ == "__main__":
    sys.exit(main())
