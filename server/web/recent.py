"""Answers that several readers may share for a few seconds."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final, Generic, TypeVar

Value = TypeVar("Value")

_KEPT: Final = 64


class Recent(Generic[Value]):
    """Keeps the last values by key. While one reader makes a value, others of the same key wait for it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._lock = threading.Lock()
        self._making: dict[Hashable, threading.Lock] = {}
        self._kept: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def get(self, key: Hashable, seconds: float, make: Callable[[], Value]) -> Value:
        """The value of this key, at most so many seconds old; 0 makes it anew."""
        if seconds <= 0:
            return make()
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                made, value = self._kept.get(key, (float("-inf"), None))
            if value is not None and self.clock() - made < seconds:
                return value
            value = make()
            with self._lock:
                self._kept[key] = (self.clock(), value)
                self._kept.move_to_end(key)
                while len(self._kept) > _KEPT:
                    forgotten, _ = self._kept.popitem(last=False)
                    self._making.pop(forgotten, None)
            return value
