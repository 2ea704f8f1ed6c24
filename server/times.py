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


#: A time in ms since 1970 and how it was found; a plain tuple, as one is made for every message.
Stamp = tuple[int, Clock]


@dataclass
class Timekeeper:
    """Judges the messages of one frame after the other; `last_at` is the latest time found so far.

    `sent`/`frame_up` are the frame's stamps, `arrived` the time of its arrival (all in ms). `frame_up` is 0
    when the messages are of an earlier boot than the one that sends them.
    """

    sent: int
    frame_up: int
    arrived: int
    last_at: int = FLOOR_MS

    def judge(self, at: int, up: int) -> Stamp:
        """The time of a message stamped `at`/`up`."""
        arrived = self.arrived
        age = self.frame_up - up
        clock: Clock = "ok"
        if self.frame_up > 0 and age >= 0:
            if abs(arrived - age - at) > TOLERANCE_MS:
                at, clock = arrived - age, "corrected"
        elif abs(arrived - self.sent) > TOLERANCE_MS or not self.last_at - TOLERANCE_MS <= at <= arrived:
            # An earlier boot whose clock cannot be trusted: all that is known is the order.
            at, clock = max(at, self.last_at), "unsure"
        if at > arrived:
            at = arrived
        if at > self.last_at:
            self.last_at = at
        return at, clock


def span(since: int, until: int, said: int, stamp: Stamp, earliest: int, arrived: int) -> tuple[int, int]:
    """The true times (all in ms) of a span that a message tells of; it calls itself `said`, and is `stamp`.

    What corrects the message's own time corrects the span's too. Where no correction can be trusted, or the
    station knows no beginning (0), the span reaches from `earliest`, which is known from elsewhere, to now.
    """
    at, clock = stamp
    if clock == "unsure":
        since, until = earliest, arrived
    else:
        since = since + at - said if since > 0 else earliest
        until = until + at - said if until > 0 else at
    since = max(FLOOR_MS, min(since, arrived))
    return since, max(since, min(until, arrived))
