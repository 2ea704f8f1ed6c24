"""Sender and Receiver of a numbered stream: pure state machines without I/O and without a clock.

The sender's messages are durable before it hears of them; they are let go only after the receiver's own
cumulative acknowledgement, which the receiver gives after its commit. Neither trusts the carrier, and
neither trusts the other's disk to be the only one of its kind: a message is named by its number and by the
run of the sender's program that wrote it, so that a copied or restored disk is noticed at its first frame.
Times are monotonic seconds, handed in.
"""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from typing import Final

WINDOW: Final = 4  # frames in flight at most
RETRY_MIN: Final = 5.0  # s
RETRY_MAX: Final = 60.0  # s
REMEMBERED: Final = 4 * WINDOW  # frames whose answer still counts when they were given up as lost
REFUSALS: Final = 3  # of a message sent alone, until it is set aside
_DOUBLINGS: Final = 4  # of RETRY_MIN until RETRY_MAX is passed; unbounded, 2.0**n overflows after a night

#: A part of a stream: its first number, and the run of the sender's program that wrote it.
Part = tuple[int, str]


@dataclass(frozen=True)
class Acceptance:
    """What a receiver does with a frame: drop the first `skip` messages, store the others, then own `upto`.

    `lost` is a range of numbers that the sender no longer has; it is recorded, never passed over in silence.
    """

    skip: int
    upto: int
    lost: tuple[int, int] | None = None


@dataclass(frozen=True)
class Fork:
    """The sender's messages agree with the receiver's up to `after`, and are others from there on."""

    after: int


@dataclass
class Receiver:
    """Keeps `upto`, the last number stored. `offer` decides, `stored` moves on after the commit.

    `parts` says which runs wrote what is stored, oldest first; it need not reach further back than the frames
    that are offered.
    """

    upto: int = 0
    parts: list[Part] = field(default_factory=list)

    def offer(
        self, first: int, count: int, low: int = 0, gone: int = 0, run: str = "", prior: str = ""
    ) -> Acceptance | Fork | None:
        """Judge a frame of `count` messages from `first`; None means nothing new: only acknowledge again.

        `prior` is the run of the sender's last message before this frame.
        """
        last = first + count - 1
        before = (gone or first) - 1
        if (start := stranger(self.parts, self.upto, before, before, prior)) is not None:
            # They have parted before this frame, nobody can say from here where: not before that run.
            return Fork(start - 1)
        if (start := stranger(self.parts, self.upto, first, last, run)) is not None:
            return Fork(max(first, start) - 1)
        if last <= self.upto:
            return None
        if first <= self.upto + 1:
            return Acceptance(self.upto + 1 - first, last)
        if low == first or 0 < gone <= self.upto + 1:
            return Acceptance(0, last, (self.upto + 1, first - 1))
        return None

    def stored(self, acceptance: Acceptance, run: str = "") -> None:
        """The frame's tail, its effects and the new `upto` are committed."""
        if not self.parts or self.parts[-1][1] != run:
            self.parts.append((self.upto + 1, run))
        self.upto = acceptance.upto


def branch(stream: str, after: int, number: int, run: str) -> str:
    """The id of the stream that begins where a sender's messages parted from the receiver's `stream`.

    `number` and `run` are those of its first message behind `after`, which becomes number 1 if it follows at
    once. Two copies of one disk that share this message get the same stream from it, and so share it there.
    """
    return hashlib.sha256(f"{stream} {after} {number} {run}".encode()).hexdigest()[:16]


def stranger(parts: Iterable[Part], upto: int, first: int, last: int, run: str) -> int | None:
    """Where the first part begins that holds numbers of `first` to `last` and was not written by `run`.

    Numbers above `upto` are new, and runs without a name are those of older releases, which cannot be told
    apart.
    """
    for (start, writer), (end, _) in pairwise([*parts, (upto + 1, "")]):
        if start <= last and first < end and run and writer and writer != run:
            return start
    return None


class Heard(Enum):
    """What an acknowledgement means: went on as usual, is about nothing of ours, or tells that the disk is a
    copy: `FORK` with the number after which, `BEYOND` by a receiver that cannot say it."""

    FINE = "fine"
    STRANGE = "strange"
    FORK = "fork"
    BEYOND = "beyond"


@dataclass
class Sender:
    """Decides what to send when. `last` is the newest durable number, `acked` what the receiver owns."""

    last: int = 0
    acked: int = 0
    random: Callable[[], float] = field(default=lambda: 1.0, repr=False)

    _next: int = field(init=False)
    _window: int = field(init=False, default=1)
    _flying: deque[Part] = field(init=False, default_factory=deque)  # last number and run of each frame
    _sent: deque[Part] = field(init=False)  # and of those that left before, for answers that come late
    _deadline: float = field(init=False, default=0.0)
    _attempt: int = field(init=False, default=0)
    _rewound: bool = field(init=False, default=False)
    _alone: int = field(init=False, default=0)  # up to this number messages travel one by one
    _refusals: int = field(init=False, default=0)  # of the message after `acked`, alone

    def __post_init__(self) -> None:
        self._next = self.acked + 1
        self._sent = deque(maxlen=REMEMBERED)

    @property
    def pending(self) -> int:
        """How many messages the receiver has not acknowledged."""
        return self.last - self.acked

    @property
    def alone(self) -> bool:
        """Whether the frame that is due may hold one message only: its neighbours were refused with it."""
        return self._next <= self._alone

    def stored(self, last: int) -> None:
        """All messages up to `last` are durable here."""
        self.last = max(self.last, last)

    def connected(self) -> None:
        """A new connection: nothing is in flight, start behind the last acknowledgement."""
        self._rewind()
        self._rewound = False
        self._attempt = 0

    def acknowledged(self, upto: int, now: float, of: int = 0, run: str = "", fork: bool = False) -> Heard:
        """The receiver says that it owns `upto`, in answer to the frame that ended with `of`.

        Only what such an answer proves counts as owned: the numbers of a frame of ours, not what another
        machine with a copy of our disk may have sent. A lower number than before is a receiver restored from
        an older backup: send again from there.
        """
        if fork:
            # Of the oldest frame in flight alone: a later one may only show that they had parted before.
            last, writer = self._flying[0] if self._flying else (0, "")
            if writer != run or of >= last:
                return Heard.STRANGE
            if of >= self.acked:
                return Heard.FORK
            # Something owned is not so any more: a receiver set back, and another copy that was quicker.
            self.acked = of
            self._rewind()
            return Heard.FINE
        if not of and upto > self.last:
            return Heard.BEYOND
        if of and upto >= of:
            if (of, run) not in self._sent:
                return Heard.STRANGE
            upto = of
        if upto < self.acked:
            self.acked = upto
            self._rewind()
            self._rewound = True
        elif of > upto or upto == self.acked:
            # The receiver saw a gap or a repetition. Rewind once, however many answers one loss brings.
            if self._flying and not self._rewound:
                self._rewind()
                self._rewound = True
        else:
            self._own(upto, now)
        return Heard.FINE

    def refused(self, last: int, run: str) -> int | None:
        """The receiver could not read the frame that ended with `last`, and so will never acknowledge it.

        Its messages are then sent one by one. The number of a message that was refused alone, several times,
        is returned: set it aside and put something readable under its number.
        """
        if (last, run) not in self._flying:
            return None
        single = last == self.acked + 1 and self._alone >= last
        self._alone = max(self._alone, last)
        self._refusals = self._refusals + 1 if single else 0
        self._rewind()
        if self._refusals < REFUSALS:
            return None
        self._refusals = 0
        return last

    def due(self, now: float) -> int | None:
        """The number from which a frame should leave now, or None. Call `sent` with what has left."""
        if self._flying and now >= self._deadline:
            self._rewind()
            self._rewound = False
            self._attempt = min(self._attempt + 1, _DOUBLINGS)
        window = 1 if self.alone else self._window
        if self._next > self.last or len(self._flying) >= window:
            return None
        return self._next

    def sent(self, last: int, now: float, run: str = "") -> None:
        """A frame that ends with number `last` and holds messages of `run` has left."""
        if not self._flying:
            spread = min(RETRY_MAX, RETRY_MIN * 2.0**self._attempt) - RETRY_MIN
            self._deadline = now + RETRY_MIN + spread * self.random()
        self._flying.append((last, run))
        self._sent.append((last, run))
        self._next = last + 1

    def wakes(self) -> float | None:
        """When `due` may change by time alone, or None."""
        return self._deadline if self._flying else None

    def _own(self, upto: int, now: float) -> None:
        self.acked = upto
        # Not to 0 at once: a receiver that is slow to answer would get everything again and again.
        self._attempt = max(0, self._attempt - 1)
        self._refusals = 0
        self._rewound = False
        self._next = max(self._next, upto + 1)
        while self._flying and self._flying[0][0] <= upto:
            self._flying.popleft()
        self._window = min(WINDOW, self._window + 1)
        self._deadline = now + RETRY_MIN

    def _rewind(self) -> None:
        self._flying.clear()
        self._window = 1
        self._next = self.acked + 1
