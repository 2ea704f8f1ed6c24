"""Sender and Receiver of a numbered stream: pure state machines without I/O and without a clock.

The sender's messages are durable before it hears of them; they are let go only after the receiver's own
cumulative acknowledgement, which the receiver gives after its commit. Neither trusts the carrier.
Times are monotonic seconds, handed in.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

WINDOW: Final = 4  # frames in flight at most
RETRY_MIN: Final = 5.0  # s
RETRY_MAX: Final = 60.0  # s
_DOUBLINGS: Final = 4  # of RETRY_MIN until RETRY_MAX is passed; unbounded, 2.0**n overflows after a night


@dataclass(frozen=True)
class Acceptance:
    """What a receiver does with a frame: drop the first `skip` messages, store the others, then own `upto`.

    `lost` is a range of numbers that the sender no longer has; it is recorded, never passed over in silence.
    """

    skip: int
    upto: int
    lost: tuple[int, int] | None = None


@dataclass
class Receiver:
    """Keeps `upto`, the last number stored. `offer` decides, `stored` moves on after the commit."""

    upto: int = 0

    def offer(self, first: int, count: int, low: int = 0) -> Acceptance | None:
        """Judge a frame of `count` messages from `first`; None means nothing new: only acknowledge again."""
        last = first + count - 1
        if last <= self.upto:
            return None
        if first <= self.upto + 1:
            return Acceptance(self.upto + 1 - first, last)
        if low == first:
            return Acceptance(0, last, (self.upto + 1, first - 1))
        return None

    def stored(self, acceptance: Acceptance) -> None:
        """The frame's tail, its effects and the new `upto` are committed."""
        self.upto = acceptance.upto


@dataclass
class Sender:
    """Decides what to send when. `last` is the newest durable number, `acked` what the receiver owns.

    `low` is the lowest number still kept; what is below it was let go and cannot be sent again.
    """

    last: int = 0
    acked: int = 0
    random: Callable[[], float] = field(default=lambda: 1.0, repr=False)
    low: int = 1

    _next: int = field(init=False)
    _window: int = field(init=False, default=1)
    _flying: deque[int] = field(init=False, default_factory=deque)
    _deadline: float = field(init=False, default=0.0)
    _attempt: int = field(init=False, default=0)
    _rewound: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self._next = self.acked + 1

    @property
    def pending(self) -> int:
        """How many messages the receiver has not acknowledged."""
        return self.last - self.acked

    def stored(self, last: int) -> None:
        """All messages up to `last` are durable here."""
        self.last = max(self.last, last)

    def let_go(self, low: int) -> None:
        """All messages below `low` are deleted here; a frame that begins with `low` must say so."""
        self.low = max(self.low, low)

    def connected(self) -> None:
        """A new connection: nothing is in flight, start behind the last acknowledgement."""
        self._rewind()
        self._rewound = False
        self._attempt = 0

    def acknowledged(self, upto: int, now: float) -> bool:
        """The receiver says that it owns `upto`; False if that is beyond what was ever stored here.

        A lower number than before is a receiver restored from an older backup: send again from there.
        """
        if upto > self.last:
            return False
        if upto < self.acked:
            self.acked = upto
            self._rewind()
            self._rewound = True
            return True
        if upto == self.acked:
            # The receiver saw a gap or a repetition. Rewind once, however many answers one loss brings.
            if self._flying and not self._rewound:
                self._rewind()
                self._rewound = True
            return True
        self.acked = upto
        self._attempt = 0
        self._rewound = False
        self._next = max(self._next, upto + 1)
        while self._flying and self._flying[0] <= upto:
            self._flying.popleft()
        self._window = min(WINDOW, self._window + 1)
        self._deadline = now + RETRY_MIN
        return True

    def due(self, now: float) -> int | None:
        """The number from which a frame should leave now, or None. Call `sent` with what has left."""
        if self._flying and now >= self._deadline:
            self._rewind()
            self._rewound = False
            self._attempt = min(self._attempt + 1, _DOUBLINGS)
        first = max(self._next, self.low)
        if first > self.last or len(self._flying) >= self._window:
            return None
        return first

    def sent(self, last: int, now: float) -> None:
        """A frame that ends with number `last` has left."""
        if not self._flying:
            spread = min(RETRY_MAX, RETRY_MIN * 2.0**self._attempt) - RETRY_MIN
            self._deadline = now + RETRY_MIN + spread * self.random()
        self._flying.append(last)
        self._next = last + 1

    def wakes(self) -> float | None:
        """When `due` may change by time alone, or None."""
        return self._deadline if self._flying else None

    def _rewind(self) -> None:
        self._flying.clear()
        self._window = 1
        self._next = self.acked + 1
