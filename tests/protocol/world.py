"""A sender, a receiver and a bad channel between them, in simulated time, with what survives a restart.

Durable at the sender: its messages, the lowest number it keeps, and an acknowledged number that may be stale.
Durable at the receiver: log, lost ranges and `upto`, committed together. There is one run; copied disks are
in `copies.py`.
"""

import random
from copy import deepcopy
from dataclasses import dataclass, field

from protocol.stream import Acceptance, Fork, Heard, Receiver, Sender

FRAME = 3  # messages a frame; small, so that few steps reach the edges
TRIP = 0.2  # s from one end to the other once the faults have stopped


@dataclass(frozen=True)
class Flight:
    """A frame under way: what is on the wire, without the bytes."""

    first: int
    messages: tuple[str, ...]
    gone: int


@dataclass(frozen=True)
class Answer:
    """An acknowledgement under way."""

    upto: int
    of: int


@dataclass
class Stored:
    """What the receiver's database holds."""

    log: list[tuple[int, str]] = field(default_factory=list)
    lost: list[tuple[int, int]] = field(default_factory=list)
    upto: int = 0


class World:
    def __init__(self, seed: int = 0) -> None:
        self.now = 0.0
        self.random = random.Random(seed)
        self.messages: dict[int, str] = {}
        self.last = self.acked = 0
        self.low = 1
        self.stored = Stored()
        self.frames: list[Flight] = []
        self.acks: list[Answer] = []
        self.start_sender()
        self.start_receiver()

    # The sender's side

    def start_sender(self) -> None:
        """From what is durable only."""
        self.sender = Sender(self.last, self.acked, self.random.random)

    def say(self) -> None:
        """One more message, durable before the sender hears of it."""
        self.last += 1
        self.messages[self.last] = f"message {self.last}"
        self.sender.stored(self.last)

    def send(self) -> bool:
        """Put one frame on the wire if one is due."""
        asked = self.sender.due(self.now)
        if asked is None or self.low > self.last:
            return False
        first = max(asked, self.low)
        last = min(first + FRAME - 1, self.last)
        messages = tuple(self.messages[number] for number in range(first, last + 1))
        self.frames.append(Flight(first, messages, asked if first > asked else 0))
        self.sender.sent(last, self.now)
        return True

    def hear(self, answer: Answer, durable: bool = True) -> None:
        """An acknowledgement reaches the sender; it may be cut off before it has stored the number."""
        heard = self.sender.acknowledged(answer.upto, self.now, answer.of)
        assert heard in (Heard.FINE, Heard.STRANGE), "the receiver owns more than was ever stored"
        if durable:
            self.acked = self.sender.acked

    def let_go(self, low: int) -> None:
        """Delete the messages below `low`, and store what is acknowledged, in one transaction."""
        self.acked = self.sender.acked
        for number in range(self.low, low):
            del self.messages[number]
        self.low = max(self.low, low)

    # The receiver's side

    def start_receiver(self) -> None:
        self.receiver = Receiver(self.stored.upto)

    def take(self, flight: Flight, die: str = "") -> None:
        """A frame arrives; the receiver may die `before commit` or `before ack`."""
        acceptance = self.receiver.offer(flight.first, len(flight.messages), gone=flight.gone)
        assert not isinstance(acceptance, Fork)
        if acceptance is not None:
            if die == "before commit":
                return self.start_receiver()
            self._commit(flight, acceptance)
            if die:
                return self.start_receiver()
            self.receiver.stored(acceptance)
        self.acks.append(Answer(self.receiver.upto, flight.first + len(flight.messages) - 1))
        return None

    def _commit(self, flight: Flight, acceptance: Acceptance) -> None:
        self.stored.log += list(enumerate(flight.messages, flight.first))[acceptance.skip :]
        if acceptance.lost:
            self.stored.lost.append(acceptance.lost)
        self.stored.upto = acceptance.upto

    def backup(self) -> Stored:
        return deepcopy(self.stored)

    def restore(self, backup: Stored) -> None:
        self.stored = deepcopy(backup)
        self.start_receiver()

    # A channel that only delays

    def trip(self) -> None:
        """Everything that may leave leaves, arrives and is acknowledged."""
        while self.send():
            pass
        frames, self.frames = self.frames, []
        for flight in frames:
            self.take(flight)
        self.now += TRIP
        acks, self.acks = self.acks, []
        for answer in acks:
            self.hear(answer)
        self.now += TRIP

    def settle(self, limit: float) -> float:
        """Go on until nothing is pending; the simulated seconds it took."""
        begun = self.now
        while self.now - begun <= limit:
            self.trip()
            if self.stored.upto == self.last == self.sender.acked and not self.frames:
                return self.now - begun
            wakes = self.sender.wakes()
            if wakes is not None and wakes > self.now and self.sender.due(self.now) is None:
                self.now = wakes
        raise AssertionError(f"not settled after {limit} s: {self.sender}, receiver at {self.stored.upto}")
