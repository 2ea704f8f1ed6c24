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

#: A wall clock this close is right. It is more than a frame is ever under way: a line that stalls for longer
#: is cut by its keepalives.
TOLERANCE_MS: Final = 180_000
FLOOR_MS: Final = 1_767_225_600_000  # 2026-01-01: no station of this software is older


#: A time in ms since 1970 and how it was found; a plain tuple, as one is made for every message.
Stamp = tuple[int, Clock]


@dataclass
class Timekeeper:
    """Judges the messages of one frame after the other; `last_at` is the latest sure time so far.

    `sent`/`frame_up` are the frame's stamps, `arrived` the time of its arrival (all in ms). `frame_up` is 0
    when the messages are of an earlier boot than the one that sends them. Of the `unsure` messages so far all
    that is known is that they happened between `unsure_since` and `arrived`.
    """

    sent: int
    frame_up: int
    arrived: int
    last_at: int = FLOOR_MS
    unsure: int = 0
    unsure_since: int = 0

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
            if not self.unsure:
                self.unsure_since = self.last_at
            self.unsure += 1
            # It says nothing about what comes later: a clock set right since then is believed again.
            return min(max(at, self.last_at), arrived), "unsure"
        if at > arrived:
            at = arrived
        if at > self.last_at:
            self.last_at = at
        return at, clock


def span(since: int, until: int, said: int, stamp: Stamp, earliest: int, arrived: int) -> tuple[int, int]:
    """The true times (all in ms) of a span that a message tells of; it calls itself `said`, and is `stamp`.

    It begins no earlier than `earliest`, as far as the message itself does not say so. Where the station's
    clock was or may have been wrong, at the message or before it, the span reaches from there to the message:
    too wide rather than beside the truth.
    """
    at, clock = stamp
    if clock != "ok" or not FLOOR_MS <= since <= until <= said:
        moved = since + at - said
        wide = min(earliest, moved) if clock == "corrected" and moved >= FLOOR_MS and since > 0 else earliest
        since, until = wide, arrived if clock == "unsure" else at
    since = max(FLOOR_MS, min(since, arrived))
    return since, max(since, min(until, arrived))
