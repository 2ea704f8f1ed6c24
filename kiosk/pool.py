"""A few threads for the plugins' background work, shared fairly: a plugin that hangs keeps only its share."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from typing import Final

from kiosk.errors import Busy

log = logging.getLogger(__name__)

THREADS: Final = 4
RUNNING: Final = 2  # jobs of one plugin at a time
WAITING: Final = 64  # jobs of one plugin that may wait

Job = Callable[[], object]


class Pool:
    """Threads start with the first job. Jobs are fenced by those who hand them in."""

    def __init__(self, threads: int = THREADS) -> None:
        self._size = threads
        self._change = threading.Condition()
        self._waiting: deque[tuple[str, Job]] = deque()
        self._running: Counter[str] = Counter()
        self._started = False
        self._closed = False

    def run(self, owner: str, job: Job) -> None:
        """Run `job()` soon on some thread; Busy when the owner has too many waiting."""
        with self._change:
            if self._closed:
                return
            if sum(1 for each, _ in self._waiting if each == owner) >= WAITING:
                raise Busy(f"{owner} has {WAITING} jobs waiting", plugin=owner)
            self._waiting.append((owner, job))
            self._change.notify_all()
            if not self._started:
                self._started = True
                for index in range(self._size):
                    # Daemons: a plugin's endless job must not keep the station from stopping.
                    threading.Thread(target=self._work, name=f"yizhan-pool-{index}", daemon=True).start()

    def idle(self, timeout: float = 10.0) -> bool:
        """Wait until nothing runs or waits, seconds at most; whether that came."""
        with self._change:
            return self._change.wait_for(lambda: not self._waiting and not self._running.total(), timeout)

    def close(self) -> None:
        """Forget what waits; what runs is left to end by itself."""
        with self._change:
            self._closed = True
            self._waiting.clear()
            self._change.notify_all()

    def _work(self) -> None:
        while True:
            with self._change:
                while (entry := self._next()) is None:
                    if self._closed:
                        return
                    self._change.wait()
                owner, job = entry
                self._running[owner] += 1
            try:
                job()
            except Exception:
                log.exception("a background job of %s failed", owner)
            finally:
                with self._change:
                    self._running[owner] -= 1
                    self._change.notify_all()

    def _next(self) -> tuple[str, Job] | None:
        for index, (owner, _) in enumerate(self._waiting):
            if self._running[owner] < RUNNING:
                entry = self._waiting[index]
                del self._waiting[index]
                return entry
        return None
