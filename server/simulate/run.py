"""One simulation from beginning to end: stations made, returned, drained, compared."""

import random
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from protocol.stream import RETRY_MAX
from protocol.topics import PREFIX
from server.errors import Refused
from server.simulate import backlog, books, memory, reckoning
from server.simulate.fleet import Fleet
from server.simulate.memory import Process
from server.simulate.station import SimulatedStation, Standing, Traffic
from server.store import Store
from server.store.engine import FILE

LET_IN_S: Final = 60.0  # until the broker knows new stations
LINGER_S: Final = 30.0  # to hear what headquarters has for the stations, when they have said everything
SHOWN: Final = 5  # differences in words; the others are counted

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is asked for. `drop`: share of frames and answers to lose; `seconds`: until it is given up."""

    host: str
    port: int
    stations: int
    messages: int = backlog.MESSAGES
    prefix: str = PREFIX
    seed: int = 1
    drop: float = 0.0
    at_once: bool = False
    seconds: float = 900.0


@dataclass(frozen=True)
class Outcome:
    """How it went. `said` messages, of them `events`; `problems` in words, none if all of it agrees."""

    stations: int
    said: int
    events: int
    seconds: float
    traffic: Traffic
    processes: list[Process]
    problems: list[str]

    @property
    def drained(self) -> bool:
        return self.traffic.drained == self.stations

    @property
    def agrees(self) -> bool:
        """Whether everything was acknowledged, and headquarters has exactly what was said."""
        return self.drained and not self.problems

    @property
    def speed(self) -> float:
        """Messages acknowledged in a second."""
        return self.traffic.acknowledged / self.seconds if self.seconds else 0.0

    def process(self, what: str) -> Process | None:
        """The server, or the broker, if it runs where we can see it."""
        return next((each for each in self.processes if each.what == what), None)

    def lines(self) -> Iterator[str]:
        """The summary."""
        traffic = self.traffic
        yield (
            f"{traffic.drained} of {self.stations} stations drained in {self.seconds:.1f} s: "
            f"{traffic.acknowledged:,} of {self.said:,} messages ({self.events:,} events, the rest "
            f"heartbeats), {self.speed:,.0f} messages/s"
        )
        yield (
            f"{traffic.frames:,} frames, {traffic.bytes / 2**20:.1f} MiB; {traffic.dropped} frames or "
            f"answers were lost on purpose; {traffic.letters} messages came down; "
            f"{traffic.broken} connections broke"
        )
        for each in self.processes:
            yield (
                f"{each.what} (process {each.pid}): {each.most:.0f} MiB at most, "
                f"{each.cpu:.1f} s of processor time"
            )
        for problem in self.problems[:SHOWN]:
            yield f"DIFFERENCE {problem}"
        if len(self.problems) > SHOWN:
            yield f"DIFFERENCE and {len(self.problems) - SHOWN} more"
        if self.agrees:
            yield "Everything was acknowledged, and headquarters has exactly what was said."
        elif self.drained:
            yield "Headquarters does NOT have what was said."
        else:
            yield "NOT everything was acknowledged."


def run(store: Store, plan: Plan, say: Say) -> Outcome:
    """Let the stations of this plan return to the headquarters of this store, which runs on this machine."""
    passwords = books.enrol(store, plan.stations, now_ms(), say)
    _let_in(plan, list(passwords.items())[-1])
    with store.read() as conn:
        standings, before = books.standings(conn, passwords), reckoning.look(conn)
    fleet = Fleet(plan.host, plan.port, plan.prefix, plan.drop)
    every = _stations(plan, fleet, passwords, standings)
    said = sum(len(each.backlog.bodies) for each in every)
    meter = Meter(memory.find(store.data_dir / FILE, plan.port), said, say)
    try:
        seconds = fleet.run(every, plan.seconds, meter.word)
        meter.word(seconds, fleet.traffic)
        drained = fleet.traffic.drained == len(every)
        heard = not drained or fleet.linger(every, lambda: _nothing_owed(store, passwords), LINGER_S)
    finally:
        fleet.close(every)
    with store.read() as conn:
        problems = reckoning.differences(conn, before, {each.name: each for each in every})
    problems += (
        [] if heard else ["what headquarters has for the stations was not acknowledged by all of them"]
    )
    events = sum(each.backlog.events.total() for each in every)
    problems = fleet.traffic.problems + problems
    return Outcome(len(every), said, events, seconds, fleet.traffic, meter.processes, problems)


@dataclass
class Meter:
    """What is said once a second, and what is remembered of it."""

    processes: list[Process]
    messages: int
    say: Say
    _before: tuple[float, int] = (0.0, 0)

    def word(self, seconds: float, traffic: Traffic) -> None:
        """One line."""
        for each in self.processes:
            each.look()
        (at, acknowledged), self._before = self._before, (seconds, traffic.acknowledged)
        rate = (traffic.acknowledged - acknowledged) / (seconds - at) if seconds > at else 0.0
        self.say(
            f"{seconds:5.0f} s  {traffic.connected} connected  {traffic.drained} drained  "
            f"{traffic.acknowledged:,} of {self.messages:,} messages  {rate:,.0f}/s  "
            + "  ".join(str(each) for each in self.processes)
        )


def now_ms() -> int:
    """The wall clock in ms since 1970."""
    return time.time_ns() // 1_000_000


def _stations(
    plan: Plan, fleet: Fleet, passwords: dict[str, str], standings: dict[str, Standing]
) -> list[SimulatedStation]:
    rng, until = random.Random(plan.seed), now_ms()
    kinds = min(backlog.VARIETY, plan.stations)
    backlogs = [backlog.make(rng, plan.messages, until) for _ in range(kinds)]
    now, spread = time.monotonic(), 0.0 if plan.at_once else RETRY_MAX
    return [
        SimulatedStation(
            name,
            password,
            fleet.line,
            standings[name],
            rng.choice(backlogs),
            now + spread * rng.random(),
            random.Random(rng.random()),
        )
        for name, password in passwords.items()
    ]


def _let_in(plan: Plan, station: tuple[str, str]) -> None:
    """Wait until the broker knows the station that was made last."""
    name, password = station
    fleet = Fleet(plan.host, plan.port, plan.prefix, 0.0)
    standing, nothing = Standing("-", 0, "", 0), backlog.Backlog([], 0)
    probe = SimulatedStation(name, password, fleet.line, standing, nothing, 0.0, random.Random(0))
    if not fleet.reach(probe, LET_IN_S):
        raise Refused(
            f"The broker at {plan.host}:{plan.port} does not let {name} in: is it that of this headquarters?"
        )


def _nothing_owed(store: Store, names: Collection[str]) -> bool:
    with store.read() as conn:
        return books.owed(conn, names) == 0
