"""Kivy's clock as the loop behind `kiosk.ui_thread`."""

from collections import deque

from kivy.clock import Clock

from kiosk.ui_thread import Call, Cancel


class KivyLoop:
    """Calls from any thread run here, in order, before the next frame is drawn."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque()
        self._trigger = Clock.create_trigger(self._run, 0)

    def call_soon(self, fn: Call) -> None:
        """Run `fn` on the UI thread, soon, in order."""
        self._calls.append(fn)
        self._trigger()

    def call_every(self, seconds: float, fn: Call) -> Cancel:
        """Run `fn` on the UI thread every so many seconds; what is returned cancels it."""

        def tick(_: float) -> None:
            # What is returned counts for nothing: Kivy would stop the timer at False.
            fn()

        event = Clock.schedule_interval(tick, seconds)
        return lambda: event.cancel()

    def _run(self, _: float) -> None:
        # Only what waits now: a call that posts another must not keep the frame waiting.
        try:
            for _each in range(len(self._calls)):
                self._calls.popleft()()
        finally:
            if self._calls:
                self._trigger()
