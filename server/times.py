"""When did it really happen? A station's clock may be wrong; its order and its monotonic clock are not.

Every frame says what the station's wall clock and monotonic clock showed as it was sent, and every message
what they showed as it was stored. With the time of arrival that tells how wrong the clock is now, and, for
messages since the last boot, how long ago they were.
"""

from dataclasses import dataclass
from typing import Final, Literal

#: The local time of stations and their rotas.
ZONE: Final = "Asia/Shanghai"

Clock = Literal["ok", "corrected", "unsure"]

TOLERANCE_MS: Final = 60_000  # a wall clock this close is right; networks and NTP explain the rest
DRIFT_MS: Final = 2_000  # wall and monotonic clock may part this far before the wall clock was moved
FLOOR_MS: Final = 1_767_225_600_000  # 2026-01-01: no station of this software is older


@dataclass(frozen=True)
class Stamp:
    """A time in ms since 1970 and how it was found."""

    at: int
    clock: Clock


@dataclass
class Timekeeper:
    """Judges the messages of one stream in order; `boot` is the one that the last was proved to be of."""

    boot: str = ""
    last_at: int = FLOOR_MS

    def judge(self, at: int, up: int, frame_boot: str, sent: int, frame_up: int, arrived: int) -> Stamp:
        """The time of a message stamped `at`/`up`, in a frame stamped `sent`/`frame_up` (all in ms)."""
        age = frame_up - up
        if sent and age >= 0 and abs((sent - at) - age) <= DRIFT_MS:
            self.boot = frame_boot  # both clocks agree that it happened `age` before the frame left
        if age >= 0 and sent and frame_boot and self.boot == frame_boot:
            true = arrived - age
            stamp = Stamp(at, "ok") if abs(true - at) <= TOLERANCE_MS else Stamp(true, "corrected")
        elif self.last_at - TOLERANCE_MS <= at <= arrived + TOLERANCE_MS:
            stamp = Stamp(at, "ok")  # an earlier boot, and nothing speaks against its clock
        else:
            # An earlier boot with a clock that cannot be: all that is known is the order.
            stamp = Stamp(min(max(at, self.last_at), arrived), "unsure")
        stamp = Stamp(min(stamp.at, arrived), stamp.clock)
        self.last_at = max(self.last_at, stamp.at)
        return stamp
