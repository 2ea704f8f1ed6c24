"""When did it really happen? A station's clock may be wrong; its order and its monotonic clock are not.

Every frame says what the station's wall clock and monotonic clock showed as it was sent, and every message
what they showed as it was stored. With the time of arrival that tells how long ago a message of the present
boot was, whatever the wall clock said then or says now.
"""

from dataclasses import dataclass
from typing import Final, Literal

#: The local time of stations and their rotas.
ZONE: Final = "Asia/Shanghai"

Clock = Literal["ok", "corrected", "unsure"]

TOLERANCE_MS: Final = 60_000  # a wall clock this close is right; networks and NTP explain the rest
FLOOR_MS: Final = 1_767_225_600_000  # 2026-01-01: no station of this software is older


@dataclass(frozen=True)
class Stamp:
    """A time in ms since 1970 and how it was found."""

    at: int
    clock: Clock


@dataclass
class Timekeeper:
    """Judges the messages of one stream in order; `last_at` is the latest time found so far."""

    last_at: int = FLOOR_MS

    def judge(self, at: int, up: int, sent: int, frame_up: int, arrived: int) -> Stamp:
        """The time of a message stamped `at`/`up`, in a frame stamped `sent`/`frame_up` (all in ms).

        `frame_up` is 0 when the messages are of an earlier boot than the one that sends them.
        """
        age = frame_up - up
        if frame_up > 0 and age >= 0:
            true = arrived - age
            stamp = Stamp(at, "ok") if abs(true - at) <= TOLERANCE_MS else Stamp(true, "corrected")
        elif abs(arrived - sent) <= TOLERANCE_MS and self.last_at - TOLERANCE_MS <= at <= arrived:
            stamp = Stamp(at, "ok")  # an earlier boot; nothing speaks against its clock
        else:
            stamp = Stamp(max(at, self.last_at), "unsure")  # all that is known is the order
        stamp = Stamp(min(stamp.at, arrived), stamp.clock)
        self.last_at = max(self.last_at, stamp.at)
        return stamp
