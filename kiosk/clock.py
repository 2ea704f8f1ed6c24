"""Time as the station sees it: a wall clock that may be wrong, and a monotonic one that may not."""

import datetime as dt
import time
from typing import Protocol
from zoneinfo import ZoneInfo

ZONE = "Asia/Shanghai"


class Clock(Protocol):
    """Wall time in the station's zone, and milliseconds for the wire."""

    zone: ZoneInfo

    def now(self) -> dt.datetime:
        """The station's date and time, with its zone."""

    def today(self) -> dt.date:
        """The station's date."""

    def wall_ms(self) -> int:
        """Wall clock, ms since 1970."""

    def monotonic_ms(self) -> int:
        """Never goes back, ms since the machine started, sleep included."""


class SystemClock:
    """The machine's own clocks; a wall clock that is wrong by `shift_ms`, for tests."""

    def __init__(self, zone: str = ZONE, shift_ms: int = 0) -> None:
        self.zone = ZoneInfo(zone)
        self.shift_ms = shift_ms

    def now(self) -> dt.datetime:
        return dt.datetime.now(self.zone) + dt.timedelta(milliseconds=self.shift_ms)

    def today(self) -> dt.date:
        return self.now().date()

    def wall_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self.shift_ms

    def monotonic_ms(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000


def boot_id() -> str:
    """Names the machine's run whose monotonic clock `monotonic_ms` reads; random where it cannot be known."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            return file.read().strip().replace("-", "")[:16]
    except OSError:
        import secrets

        return secrets.token_hex(8)
