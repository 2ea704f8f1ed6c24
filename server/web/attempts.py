"""How often one address may be wrong, by the monotonic clock: changing the wall clock opens nothing."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

#: As many addresses are remembered; the one that was quiet longest is forgotten first.
REMEMBERED: Final = 10_000


class Attempts:
    """Wrong tries by key. After `free` of them each further one doubles the wait, up to `longest` seconds.

    Kept in memory: for people's accounts the store keeps its own back-off, which survives a restart.
    """

    def __init__(
        self, free: int, first: float, longest: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.free, self.first, self.longest, self.clock = free, first, longest, clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._lock = threading.Lock()

    def enter(self, key: str) -> int:
        """Seconds that this key must wait, rounded up; or 0, and then the try counts as wrong until `right`.

        Counted before it is judged, so that many tries at once do not slip through together.
        """
        with self._lock:
            tries, until = self._wrong.pop(key, (0, 0.0))
            now = self.clock()
            if now < until:
                self._wrong[key] = (tries, until)
                return math.ceil(until - now)
            if tries and now - until > self.longest:
                tries = 0  # a whole longest wait without a wrong try: forgiven
            over = tries + 1 - self.free
            wait = 0.0 if over < 0 else min(self.longest, self.first * 2.0 ** min(over, 30))
            self._wrong[key] = (tries + 1, now + wait)
            while len(self._wrong) > REMEMBERED:
                self._wrong.popitem(last=False)
            return 0

    def right(self, key: str) -> None:
        """Forget the wrong tries of this key."""
        with self._lock:
            self._wrong.pop(key, None)
