"""Bytes that no station should send, with a real station's credentials, beside stations that work."""

import random
import statistics
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec
from sqlalchemy import select

from protocol import frame as frames
from protocol import messages
from protocol.errors import FrameError
from protocol.frame import Frame
from protocol.messages import Heartbeat
from server.store import Store, refusals, streams
from server.store.schema import stream
from tests.faults.centre import Centre
from tests.faults.make_corpus import REASONS
from tests.faults.noise import corpus_files, noise
from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.voice import Pulse, Voice, claimed

if TYPE_CHECKING:
    from tests.faults.town import Town

BEATS: Final = 20  # of the good station, before and between
SLOWER: Final = 5.0  # times that a good station's ack may take while a bad one is loud ...
AT_LEAST: Final = 0.25  # s ... or so long, on a machine that does much else


class Storm:
    """A station gone mad beside a good one; `expected` counts by reason what must have been turned away."""

    def __init__(self, centre: Centre, folder: Path, rng: random.Random) -> None:
        self._centre, self._rng = centre, rng
        self.expected: Counter[str] = Counter()
        self.said = 0
        mark = f"{rng.randrange(16**6):06x}"
        self._bad = Voice(claimed(centre, f"mad-{mark}", folder / f"mad-{mark}"), centre.mqtt)
        self._good = Voice(claimed(centre, f"good-{mark}", folder / f"good-{mark}"), centre.mqtt)
        self.stream = f"s{mark}"
        with closing(Store(centre.data)) as store, store.read() as conn:
            self._others = {self.stream, *conn.scalars(select(stream.c.name))}

    def run(self, seconds: float) -> tuple[list[str], dict[str, float]]:
        """Be loud for so long: what did not hold, and what was measured."""
        with self._bad, self._good:
            pulse = Pulse(self._good, self.stream)
            quiet = [pulse.beat() for _ in range(BEATS)]
            loud: list[float] = []
            ends = time.monotonic() + seconds
            for each in corpus_files().values():
                self._say(each)
                loud.append(pulse.beat())
            while time.monotonic() < ends or self.said < 300:
                for _ in range(10):
                    self._say(noise(self._rng))
                self._trespass()
                loud.append(pulse.beat())
            last = Frame(v=1, stream=f"{self.stream}-last", first=1, msgs=[_heartbeat()])
            self._bad.say(last)  # what it said before has been looked at by now
            problems = self._differences(pulse.said, quiet, loud)
        return problems, {"ack_quiet_ms": _ms(quiet), "ack_loud_ms": _ms(loud)}

    def _say(self, payload: bytes) -> None:
        try:
            frame = frames.decode(payload)
        except FrameError as err:
            self.expected[err.reason] += 1
        else:
            self.expected["foreign_stream"] += frame.stream in self._others and bool(frame.msgs)
        self.said += 1
        self._bad.publish(payload)

    def _trespass(self) -> None:
        """Speak as the other station: in its stream, and on each of its topics."""
        forged = Frame(v=1, stream=self.stream, first=1, run="forged", msgs=[_heartbeat()] * 50)
        self._say(frames.encode(forged))
        other = self._good.station
        for payload in (frames.encode(forged), noise(self._rng, self.stream)):
            self._bad.publish(payload, other, "up")
            self._bad.publish(payload, other, "down")
        self._bad.publish(b'{"online":false,"n":9000000000}', other, "state")
        self._bad.publish(self._rng.randbytes(40), leaf="state")

    def _differences(self, beats: int, quiet: list[float], loud: list[float]) -> list[str]:
        found = []
        mad, good = self._bad.station, self._good.station
        with closing(Store(self._centre.data)) as store, store.read() as conn:
            counted = refusals.counts(conn)
            stored = streams.stored_messages(conn, good)
            lost = streams.lost_messages(conn).get(good, 0)
        reasons = [*REASONS, "foreign_stream"]
        there = {reason: counted.get((reason, mad), 0) for reason in reasons}
        wanted = {reason: self.expected[reason] for reason in reasons}
        if there != wanted:
            found.append(f"turned away {there}, but it was {wanted}")
        page = self._centre.api(f"stations/{mad}")["refusals"]
        shown = {line["reason"]: line["n"] for line in page}
        if shown != {reason: n for (reason, station), n in counted.items() if station == mad}:
            found.append(f"the station's page shows {shown}")
        if others := {reason: n for (reason, station), n in counted.items() if station == good}:
            found.append(f"the good station was turned away: {others}")
        if (stored, lost) != (beats, 0):
            found.append(f"of {beats} messages of the good station {stored} are stored, {lost} lost")
        if statistics.median(loud) > max(AT_LEAST, SLOWER * statistics.median(quiet)):
            found.append(f"a good station waited {_ms(loud)} ms for an ack, {_ms(quiet)} when it was quiet")
        if self._good.refusals:
            found.append("the good station heard a refusal")
        return found


def _heartbeat() -> msgspec.Raw:
    return msgspec.Raw(messages.encode(Heartbeat(at=time.time_ns() // 1_000_000)))


def _ms(seconds: list[float]) -> float:
    return round(statistics.median(seconds) * 1000, 1)


@fault("malformed_frames", least=8, share=0.5)
def run(town: "Town", seconds: float, rng: random.Random) -> Report:
    """A corpus, then chance, in a mad station's own name and in the name of another."""
    storm = Storm(town.centre, town.folder, rng)
    with town.busy():
        problems, measured = storm.run(seconds)
    report = town.settle("frames", storm.said)
    report.problems += problems
    report.measured.update(measured)
    return report
