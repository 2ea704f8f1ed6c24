"""One station whose disk is copied, set back and restarted: several senders that all hear every answer.

A disk holds rows (run, text) by number, the stream's id and what was acknowledged. Each start of a machine is
a new run, which says at once that it has started, as the real station's heartbeat does.
"""

import random
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count

from protocol.stream import Fork, Heard, Receiver, Sender, branch

FRAME = 3  # messages a frame; small, so that few steps reach the edges

_names = count()


@dataclass
class Disk:
    stream: str = "s"
    rows: dict[int, tuple[str, str]] = field(default_factory=dict)
    acked: int = 0


@dataclass(frozen=True)
class Flight:
    stream: str
    first: int
    run: str
    prior: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    stream: str
    upto: int
    of: int
    run: str
    fork: bool = False


class Machine:
    def __init__(self, disk: Disk, seed: random.Random) -> None:
        self.disk, self.random = disk, seed
        self.start()

    def start(self) -> None:
        """A new run, from what is on the disk."""
        self.run, self._said = f"run{next(_names)}", 0
        self.sender = Sender(max(self.disk.rows, default=0), self.disk.acked, self.random.random)
        self.say()

    def say(self) -> None:
        self._said += 1
        number = max(self.disk.rows, default=0) + 1
        self.disk.rows[number] = (self.run, f"{self.run} says {self._said}")
        self.sender.stored(number)

    def next_frame(self, now: float) -> Flight | None:
        first = self.sender.due(now)
        if first is None:
            return None
        run, texts = self.disk.rows[first][0], []
        while len(texts) < FRAME and self.disk.rows.get(first + len(texts), ("",))[0] == run:
            texts.append(self.disk.rows[first + len(texts)][1])
        self.sender.sent(first + len(texts) - 1, now, run)
        prior = self.disk.rows[first - 1][0] if first > 1 else ""
        return Flight(self.disk.stream, first, run, prior, tuple(texts))

    def hear(self, answer: Answer, now: float) -> None:
        if answer.stream != self.disk.stream:
            return
        heard = self.sender.acknowledged(answer.upto, now, answer.of, answer.run, answer.fork)
        assert heard is not Heard.BEYOND
        if heard is Heard.FORK:
            first, run = answer.of + 1, self.disk.rows[answer.of + 1][0]
            self.disk.stream = branch(self.disk.stream, answer.of, first, run)
            rows = self.disk.rows.items()
            self.disk.rows = {number - answer.of: row for number, row in rows if number > answer.of}
            self.disk.acked = 0
            self.sender = Sender(max(self.disk.rows), 0, self.random.random)
        else:
            self.disk.acked = self.sender.acked


@dataclass
class Stored:
    receiver: Receiver = field(default_factory=Receiver)
    texts: list[str] = field(default_factory=list)


class Fleet:
    def __init__(self, seed: int) -> None:
        self.now, self.random = 0.0, random.Random(seed)
        self.machines = [Machine(Disk(), self.random)]
        self.snapshots: list[Disk] = []
        self.streams: dict[str, Stored] = {}
        self.frames: list[Flight] = []
        self.answers: list[Answer] = []

    def copy(self, which: int) -> None:
        """A second machine with the disk of a running one."""
        self.machines.append(Machine(deepcopy(self.machines[which].disk), self.random))

    def set_back(self, which: int, snapshot: int) -> None:
        """A machine's disk is replaced by an older state of one, and the machine started."""
        self.machines[which] = Machine(deepcopy(self.snapshots[snapshot]), self.random)

    def send(self, which: int) -> bool:
        flight = self.machines[which].next_frame(self.now)
        if flight is not None:
            self.frames.append(flight)
        return flight is not None

    def take(self, flight: Flight) -> None:
        stored = self.streams.setdefault(flight.stream, Stored())
        receiver, last = stored.receiver, flight.first + len(flight.texts) - 1
        judged = receiver.offer(flight.first, len(flight.texts), run=flight.run, prior=flight.prior)
        if isinstance(judged, Fork):
            self.answers.append(Answer(flight.stream, receiver.upto, judged.after, flight.run, fork=True))
            return
        if judged is not None:
            assert judged.lost is None
            stored.texts += flight.texts[judged.skip :]
            receiver.stored(judged, flight.run)
        self.answers.append(Answer(flight.stream, receiver.upto, last, flight.run))

    def arrived(self) -> list[str]:
        return [text for stored in self.streams.values() for text in stored.texts]

    def settle(self, limit: float) -> None:
        """No more faults: go on until every machine believes that all of its messages are owned."""
        end = self.now + limit
        while any(machine.sender.pending for machine in self.machines) or self.frames or self.answers:
            assert self.now < end, [machine.sender for machine in self.machines]
            for which in range(len(self.machines)):
                while self.send(which):
                    pass
            for flight in self.frames:
                self.take(flight)
            answers, self.frames, self.answers = self.answers, [], []
            self.now += 0.2
            for answer in answers:
                for machine in self.machines:
                    machine.hear(answer, self.now)
            self.now += 0.2
