"""The screen process: the window first, the services behind it, home as soon as they are ready."""

import json
import logging
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kiosk.options import Options

if TYPE_CHECKING:
    from kiosk.runtime import Runtime

log = logging.getLogger(__name__)

#: Exit statuses as the supervisor reads them.
ENDED: Final = 0
BROKEN: Final = 1
REFUSED: Final = 3
AGAIN: Final = 5

#: Somebody who drags the window's edge changes its size many times.
REBUILD_SECONDS: Final = 0.2

#: Where the manager's phone is kept for the time when nothing else can be read.
CONTACT: Final = "contact.json"


def run(options: Options) -> int:
    """Show the kiosk until its window is closed; the exit status."""
    from kiosk.ui import environment

    environment.prepare(options.data / "kivy", options.size, fullscreen=options.size is None)
    from kivy.base import EventLoop, runTouchApp
    from kivy.clock import Clock
    from kivy.core.window import Window

    from kiosk import ui_thread
    from kiosk.ui.loop import KivyLoop
    from kiosk.ui.theme import theme

    ui_thread.install(KivyLoop())
    _fit(options)
    Window.clearcolor = theme.colours.background
    Window.bind(on_resize=lambda *_: _fit(options))
    Window.show_cursor = options.size is not None
    ended = _Ended()

    def stop(status: int = ENDED) -> None:
        ended.status = status
        EventLoop.close()

    # Both end the loop in order, so that what was tapped is stored and the player stops.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ui_thread.call_soon(stop))
    runtime: Runtime | None = None
    if options.please_call:
        root = _please_call(options)
    else:
        from kiosk.runtime import Runtime as TheRuntime
        from kiosk.ui.shell import Shell

        shell = Shell(options.idle_seconds, options.countdown_seconds)
        runtime = TheRuntime(options, shell)
        runtime.restart = lambda: stop(AGAIN)
        root = shell.root
        runtime.start_then(_when_started(runtime, shell, stop))
        rebuild = Clock.create_trigger(lambda _: shell.rebuild(), REBUILD_SECONDS)
        theme.fbind("u", rebuild)
        theme.fbind("landscape", rebuild)
    if options.drive:
        from kiosk.ui.driver import Driver

        Driver(root, stop, runtime.place if runtime is not None else None).start()
    try:
        runTouchApp(root)
    finally:
        if runtime is not None and runtime.started:
            runtime.stop()
    return ended.status


class _Ended:
    status = ENDED


def _when_started(
    runtime: "Runtime", shell: Any, stop: Callable[[int], None]
) -> Callable[[BaseException | None], None]:
    def started(error: BaseException | None) -> None:
        from kiosk.errors import AlreadyRunning
        from kiosk.strings import own

        if error is None:
            shell.ready(runtime)
            _keep_contact(runtime)
        elif isinstance(error, AlreadyRunning):
            sys.stderr.write(own().text("en", error.key) + "\n")
            stop(REFUSED)
        else:
            log.error("the station did not start", exc_info=error)
            stop(BROKEN)

    return started


def _fit(options: Options) -> None:
    from kivy.core.window import Window

    from kiosk.ui.theme import theme

    width, height = Window.system_size
    theme.fit(width, height, options.dpi)


def _please_call(options: Options) -> Any:
    """The plain screen of last resort: no database, no plugins."""
    from kiosk.ui.splash import Splash
    from kiosk.ui.words import Words

    words = Words()
    phone = ""
    try:
        phone = str(json.loads((options.data / CONTACT).read_text(encoding="utf-8"))["phone"])
    except (OSError, ValueError, KeyError, TypeError):
        log.warning("the manager's phone is not known here")
    splash = Splash(icon="phone", title=words("please_call"), text=words("please_call_text"))
    splash.figure = phone
    return splash


def _keep_contact(runtime: "Runtime") -> None:
    """Leave the manager's phone in a file of its own, for the screen of last resort."""
    phone, path = runtime.profile.manager_phone, runtime.options.data / CONTACT

    def job() -> None:
        _write(path, json.dumps({"phone": phone}))

    if phone:
        runtime.place.pool.run("shell", job)


def _write(path: Path, text: str) -> None:
    aside = path.with_suffix(".part")
    aside.write_text(text, encoding="utf-8")
    aside.replace(path)
