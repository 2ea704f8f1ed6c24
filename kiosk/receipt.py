"""A promise of the disk: says whether something is committed, and tells the UI thread when it is known."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from kiosk import ui_thread
from kiosk.errors import WouldBlock

T = TypeVar("T")

#: Hands a call to the UI thread; a plugin's receipts use one that also fences the call.
Post = Callable[[Callable[[], None]], None]


class Receipt(Generic[T]):
    """`ok` is true once the work is on disk. Until then the screen shows nothing as done."""

    def __init__(self, post: Post | None = None) -> None:
        self.error: BaseException | None = None
        self._value: T | None = None
        self._post = post or ui_thread.call_soon
        self._settled = threading.Event()
        self._lock = threading.Lock()
        self._waiting: list[Callable[[Receipt[T]], object]] = []

    @property
    def done(self) -> bool:
        """Whether it is known, one way or the other."""
        return self._settled.is_set()

    @property
    def ok(self) -> bool:
        """Whether it is committed."""
        return self.done and self.error is None

    @property
    def value(self) -> T:
        """What the work returned; None (whatever its type) while unknown or failed."""
        return self._value  # type: ignore[return-value]

    def then(self, fn: "Callable[[Receipt[T]], object]") -> "Receipt[T]":
        """Call `fn(receipt)` on the UI thread once it is known; returns the receipt itself."""
        with self._lock:
            if not self.done:
                self._waiting.append(fn)
                return self
        self._post(lambda: _call(fn, self))
        return self

    def wait(self, timeout: float | None = 30.0) -> "Receipt[T]":
        """Block until it is known, seconds at most; raises its error or TimeoutError.

        On the UI thread it raises WouldBlock instead of blocking.
        """
        if ui_thread.is_current():
            raise WouldBlock("the UI thread must not wait for the disk: use then()")
        if not self._settled.wait(timeout):
            raise TimeoutError("not settled in time")
        if self.error is not None:
            raise self.error
        return self

    def settle(self, value: T | None = None, error: BaseException | None = None) -> None:
        """Say how it ended; for those who do the work."""
        with self._lock:
            self._value, self.error = value, error
            self._settled.set()
            waiting, self._waiting = self._waiting, []
        for fn in waiting:
            self._post(lambda fn=fn: _call(fn, self))  # type: ignore[misc]


def _call(fn: Callable[[Receipt[T]], object], receipt: Receipt[T]) -> None:
    fn(receipt)
