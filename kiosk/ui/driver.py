"""Drives the kiosk from outside: JSON commands on standard input, an answer a line on standard output.

    {"do": "tap", "name": "home.jobs"}   or "text": a touch begins and ends on what has that name or text
    {"do": "touch", "at": [540, 900]}    a touch at a place (pixels from the upper left), whatever is there
    {"do": "scan", "code": "6901234"}    keys, as a scanner types them
    {"do": "wait", "name": ...}          or "text", or "gone" for what is to vanish; "seconds": 10
    {"do": "shot", "path": "/tmp/x.png"}    {"do": "texts"}    {"do": "widgets"}    {"do": "quit"}
    {"do": "kept"}                       what is in memory, to be compared before and after
    {"do": "clock", "shift_ms": -60000}  from now on the wall clock is wrong by so much

An answer is {"ok": true, ...} or {"ok": false, "error": "..."}, with the `id` of its command if that has one.
Those to tap and touch say in `shown_ms` how long the finger waited for the first picture after it came down.

Two lines come unasked: {"hello": process id} when commands begin to be read, and {"done": {...}}, the fields
of `kiosk.station.Done`, for each message that is on disk, before the screen shows it as done. Such a line is
written at once or, if the process is killed, not at all.
"""

import dataclasses
import gc
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from kivy.clock import Clock
from kivy.core.window import Window
from kivy.graphics.opengl import glFinish
from kivy.uix.widget import Widget

from kiosk import ui_thread
from kiosk.clock import SystemClock
from kiosk.station import Done as Stored
from kiosk.station import Place
from kiosk.ui import picture, screen, seeing
from kiosk.ui.screen import ServiceScreen
from kiosk.ui.theme import theme
from kiosk.ui.touch import Fingers

Answer = dict[str, Any]
Done = Callable[[Answer], None]
#: What is waited for and why it is not there yet; an empty reason means that it is.
Check = Callable[[], tuple[Any, str]]

PATIENCE: Final = 10.0  # s that a command waits for what it names
STILL: Final = 2  # frames that a widget must not have moved before it is touched


class Driver:
    """Commands are read on a thread of their own and carried out on the UI thread, one after the other.

    `place` is None where no services run.
    """

    def __init__(self, root: Widget, stop: Callable[[], object], place: Place | None = None) -> None:
        self._root, self._stop, self._place = root, stop, place
        if place is not None:
            place.done = _say_done
        self._fingers = Fingers()
        self._commands: dict[str, Callable[[Answer, Done], object]] = {
            "tap": self._tap,
            "touch": self._touch,
            "scan": self._scan,
            "wait": self._wait,
            "shot": self._shot,
            "texts": self._texts,
            "widgets": self._widgets,
            "kept": self._kept,
            "clock": self._clock,
            "quit": self._quit,
        }

    def start(self) -> None:
        """Read until the input ends, which ends the kiosk."""
        self._fingers.join()
        # A process that was killed before this one may have left half a line.
        _write("\n" + json.dumps({"hello": os.getpid()}))
        threading.Thread(target=self._read, name="driver", daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin:
            answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
            command: Answer = {}
            try:
                command = json.loads(line)
                ui_thread.call_soon(partial(self._obey, command, answers.put))
                answer = answers.get(timeout=_seconds(command) + 30)
                if pixels := answer.pop("pixels", None):
                    Path(answer["path"]).write_bytes(picture.encode(*pixels))
            except queue.Empty:
                answer = {"ok": False, "error": "the UI thread does not answer"}
            except (ValueError, OSError) as err:
                answer = {"ok": False, "error": str(err)}
            if "id" in command:
                answer["id"] = command["id"]
            _write(json.dumps(answer, ensure_ascii=False))
        ui_thread.call_soon(lambda: self._stop() and None)

    def _obey(self, command: Answer, done: Done) -> None:
        try:
            self._commands[command["do"]](command, done)
        except Exception as err:  # noqa: BLE001 - whoever drives must get an answer to every line
            done({"ok": False, "error": f"{type(err).__name__}: {err}"})

    def _tap(self, command: Answer, done: Done) -> None:
        still: list[Any] = []

        def reachable() -> tuple[Any, str]:
            seen, problem = self._find(command)
            problem = problem or seeing.obstacle(self._root, seen, Window.system_size)
            still.append((seen.widget, seen.box) if seen and not problem else None)
            moved = still[-STILL:] != [still[-1]] * STILL
            return seen, problem or ("is still moving" if moved else "")

        self._until(command, reachable, lambda seen: self._press(seen.centre[0], seen.centre[1], done), done)

    def _touch(self, command: Answer, done: Done) -> None:
        x, y = command["at"]
        self._press(float(x), Window.system_size[1] - float(y), done)

    def _press(self, x: float, y: float, done: Done) -> None:
        width, height = Window.system_size
        stopwatch = _Stopwatch()

        def ended() -> None:
            _after_frames(2, lambda: done({"ok": True, "shown_ms": stopwatch.stop()}))

        self._fingers.tap(x / width, y / height, stopwatch.start, ended)

    def _scan(self, command: Answer, done: Done) -> None:
        for sign in command["code"]:
            shifted = sign.isupper()
            Window.dispatch("on_key_down", ord(sign.lower()), 0, sign, ["shift"] if shifted else [])
        Window.dispatch("on_key_down", 13, 0, "\r", [])
        _after_frames(2, lambda: done({"ok": True}))

    def _wait(self, command: Answer, done: Done) -> None:
        def there() -> tuple[Any, str]:
            if gone := command.get("gone"):
                found = seeing.find(self._root, name=gone) or seeing.find(self._root, text=gone)
                return None, f"{gone} is still there" if found else ""
            return self._find(command)

        self._until(command, there, lambda _: done({"ok": True}), done)

    def _find(self, command: Answer) -> tuple[Any, str]:
        name, text = command.get("name", ""), command.get("text", "")
        if not name and not text:
            raise ValueError("give a name or a text")
        seen = seeing.find(self._root, name, text)
        return seen, "" if seen else "is not on the screen"

    def _shot(self, command: Answer, done: Done) -> None:
        path = str(Path(command["path"]).absolute())
        _after_frames(3, lambda: done({"ok": True, "path": path, "pixels": picture.grab()}))

    def _texts(self, command: Answer, done: Done) -> None:
        names = list(seeing.named(self._root))
        aloud = list(screen.texts(self._root))
        done({"ok": True, "texts": seeing.texts(self._root), "names": names, "aloud": aloud})

    def _widgets(self, command: Answer, done: Done) -> None:
        found = seeing.described(self._root)
        done({"ok": True, "window": list(Window.system_size), "widgets": found})

    def _kept(self, command: Answer, done: Done) -> None:
        gc.collect()
        observers = {name: len(list(theme.get_property_observers(name))) for name in theme.properties()}
        screens = [type(each).__name__ for each in gc.get_objects() if isinstance(each, ServiceScreen)]
        done({"ok": True, "observers": observers, "screens": screens})

    def _clock(self, command: Answer, done: Done) -> None:
        clock = self._place.clock if self._place is not None else None
        if not isinstance(clock, SystemClock):
            raise ValueError("this clock cannot be set wrong")
        clock.shift_ms = int(command["shift_ms"])
        done({"ok": True})

    def _quit(self, command: Answer, done: Done) -> None:
        done({"ok": True})
        # The answer is written by another thread, which ends with the process.
        Clock.schedule_once(lambda _: self._stop(), 0.1)

    def _until(self, command: Answer, check: Check, then: Callable[[Any], object], done: Done) -> None:
        end = time.monotonic() + _seconds(command)

        def look(_: float = 0) -> None:
            value, problem = check()
            if not problem:
                then(value)
            elif time.monotonic() > end:
                what = command.get("name") or command.get("text") or ""
                done({"ok": False, "error": f"{what} {problem}".strip()})
            else:
                Clock.schedule_once(look, 0)

        look()


class _Stopwatch:
    """From a touch to the first picture drawn after it."""

    def __init__(self) -> None:
        self._began = 0.0
        self._shown: float | None = None

    def start(self) -> None:
        self._began = time.perf_counter()
        Window.bind(on_flip=self._flipped)

    def stop(self) -> float | None:
        """Milliseconds, None if nothing was drawn."""
        Window.unbind(on_flip=self._flipped)
        return self._shown

    def _flipped(self, *_: object) -> None:
        if self._shown is None:
            glFinish()  # a software renderer goes on drawing after the flip
            self._shown = round((time.perf_counter() - self._began) * 1000, 1)


_writing: Final = threading.Lock()


def _write(line: str) -> None:
    """Write a line past all buffers: a short one goes into a pipe as a whole."""
    data = (line + "\n").encode()
    with _writing:
        while data:
            data = data[os.write(1, data) :]


def _say_done(stored: Stored) -> None:
    _write(json.dumps({"done": dataclasses.asdict(stored)}))


def _seconds(command: Answer) -> float:
    return float(command.get("seconds", PATIENCE))


def _after_frames(count: int, fn: Callable[[], object]) -> None:
    if count == 0:
        fn()
    else:
        Clock.schedule_once(lambda _: _after_frames(count - 1, fn), 0)
