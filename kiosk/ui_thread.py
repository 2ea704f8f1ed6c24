"""The one thread that draws, without naming the toolkit: `kiosk.ui` installs its event loop here.

Until a loop is installed, calls wait in a queue and timers stand still; `pump` and `advance` run them. So
code that knows no window (tests, tools) decides itself which thread plays the UI thread.
"""

import queue
import threading
from collections.abc import Callable
from typing import Protocol

Call = Callable[[], object]
Cancel = Callable[[], None]


class Loop(Protocol):
    """What an event loop offers; both may be called from any thread."""

    def call_soon(self, fn: Call) -> None:
        """Run `fn` on the loop's thread, soon, in order."""

    def call_every(self, seconds: float, fn: Call) -> Cancel:
        """Run `fn` on the loop's thread every so many seconds; what is returned cancels it."""


class Queued:
    """A loop that somebody pumps by hand."""

    def __init__(self) -> None:
        self._calls: queue.SimpleQueue[Call] = queue.SimpleQueue()
        self._timers: list[_Timer] = []
        self._now = 0.0

    def call_soon(self, fn: Call) -> None:
        self._calls.put(fn)

    def call_every(self, seconds: float, fn: Call) -> Cancel:
        timer = _Timer(seconds, self._now + seconds, fn)
        self._timers.append(timer)
        return lambda: self._timers.remove(timer) if timer in self._timers else None

    def pump(self, timeout: float = 0.0) -> int:
        """Run what waits, at first waiting up to `timeout` seconds for something; how many have run."""
        done = 0
        while True:
            try:
                fn = self._calls.get(timeout=timeout) if timeout and not done else self._calls.get_nowait()
            except queue.Empty:
                return done
            done += 1
            fn()

    def advance(self, seconds: float) -> None:
        """Let time pass: run every timer that falls due, in order."""
        end = self._now + seconds
        while due := sorted((each for each in self._timers if each.due <= end), key=lambda each: each.due):
            timer = due[0]
            self._now, timer.due = timer.due, timer.due + timer.seconds
            timer.fn()
        self._now = end


class _Timer:
    def __init__(self, seconds: float, due: float, fn: Call) -> None:
        self.seconds, self.due, self.fn = seconds, due, fn


_queued = Queued()
_loop: Loop = _queued
_ident: int | None = None


def install(loop: Loop) -> None:
    """The calling thread is the UI thread from now on; calls that wait are handed to its loop."""
    global _loop, _ident
    _loop, _ident = loop, threading.get_ident()
    while True:
        try:
            loop.call_soon(_queued._calls.get_nowait())
        except queue.Empty:
            break
    for timer in _queued._timers:
        loop.call_every(timer.seconds, timer.fn)
    _queued._timers.clear()


def uninstall() -> None:
    """Back to a queue pumped by hand; what waits in it is forgotten."""
    global _loop, _ident, _queued
    _queued = Queued()
    _loop, _ident = _queued, None


def call_soon(fn: Call) -> None:
    """Run `fn` on the UI thread, soon, in order."""
    _loop.call_soon(fn)


def call_every(seconds: float, fn: Call) -> Cancel:
    """Run `fn` on the UI thread every so many seconds; what is returned cancels it."""
    return _loop.call_every(seconds, fn)


def is_current() -> bool:
    """Whether the caller runs on the installed UI thread."""
    return _ident is not None and threading.get_ident() == _ident


def pump(timeout: float = 0.0) -> int:
    """Without an installed loop: run what waits; how many have run."""
    return _queued.pump(timeout)


def advance(seconds: float) -> None:
    """Without an installed loop: let the timers' time pass."""
    _queued.advance(seconds)
