"""`yizhan simulate`: stations return together from an outage, until headquarters has all they have to say."""

import argparse
import ipaddress
import random
import socket
import sys
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy.exc import DBAPIError

from protocol.errors import ProtocolError
from protocol.stream import RETRY_MAX
from protocol.topics import PREFIX, check_prefix
from server.errors import Refused, ServerError
from server.simulate import backlog, books, memory, reckoning
from server.simulate.fleet import Fleet
from server.simulate.memory import Process
from server.simulate.station import SimulatedStation, Standing, Traffic
from server.store import Store
from server.store.engine import FILE

DATA: Final = Path("data/headquarters")
MOST_STATIONS: Final = 5_000
MOST_MESSAGES: Final = 20_000  # of one station
MOST_ALL: Final = 10_000_000  # of all together
LET_IN_S: Final = 60.0  # until the broker knows new stations
LINGER_S: Final = 30.0  # to hear what headquarters has for the stations, when they have said everything


def main(argv: Sequence[str] | None = None) -> int:
    """Run the simulation; 0 if all was acknowledged and headquarters has exactly what was said."""
    given = _parser().parse_args(argv)
    try:
        store = _store(given)
        try:
            return _remove(store) if given.remove else _simulate(store, given)
        finally:
            store.close()
    except (ServerError, ProtocolError) as err:
        _complain(str(err))
    except DBAPIError as err:
        _complain(f"The database in {given.data} does not work: {err.orig}.")
    except OSError as err:
        _complain(f"{err.filename or given.data}: {err.strerror or err}.")
    except KeyboardInterrupt:
        _complain("Ended before everything was said.")
        return 1
    return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="yizhan simulate",
        description="Many stations return at once to the headquarters that runs on this machine, each with "
        "what it has to say after days without a line. They are stations of this headquarters from then on, "
        "sim-0001 and so on, also in its numbers: use a headquarters for trials, or --remove afterwards.",
    )
    parser.add_argument(
        "--stations", type=int, default=100, metavar="N", help=f"(%(default)s; at most {MOST_STATIONS})"
    )
    parser.add_argument(
        "--messages",
        type=int,
        default=backlog.MESSAGES,
        metavar="N",
        help=f"of each station (%(default)s, what {backlog.HOURS} hours are; at most {MOST_MESSAGES})",
    )
    parser.add_argument("--data", type=Path, default=DATA, metavar="FOLDER", help=f"headquarters' ({DATA})")
    parser.add_argument("--database", metavar="URL", help="another database than SQLite in the folder")
    parser.add_argument(
        "--mqtt",
        type=_address,
        default=("127.0.0.1", 1883),
        metavar="HOST:PORT",
        help="its broker (127.0.0.1:1883)",
    )
    parser.add_argument("--prefix", type=check_prefix, default=PREFIX, help=f"of the topics ({PREFIX})")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all chance (%(default)s)")
    parser.add_argument(
        "--drop", type=_share, default=0.0, metavar="SHARE", help="of frames and answers to lose, 0 to 0.5"
    )
    parser.add_argument(
        "--at-once",
        action="store_true",
        help=f"without the random wait of up to {RETRY_MAX:.0f} s before the return",
    )
    parser.add_argument(
        "--seconds", type=float, default=900.0, metavar="N", help="to give up after (%(default).0f)"
    )
    parser.add_argument(
        "--remove", action="store_true", help="delete the simulated stations and all that they said"
    )
    return parser


def _store(given: argparse.Namespace) -> Store:
    if not given.database and not (given.data / FILE).exists():
        raise Refused(
            f"There is no headquarters in {given.data}: start `yizhan server run` there, or use --data."
        )
    return Store(given.data, given.database)


def _remove(store: Store) -> int:
    n = books.remove(store, _now_ms(), _say)
    _say(f"{n} simulated stations are removed.")
    return 0


def _simulate(store: Store, given: argparse.Namespace) -> int:
    host, port = given.mqtt
    _check(given, host)
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as err:
        raise Refused(
            f"No broker answers at {host}:{port}: is headquarters running? `yizhan server run`"
        ) from err
    passwords = books.enrol(store, given.stations, _now_ms(), _say)
    with store.read() as conn:
        standings, before = books.standings(conn, passwords), reckoning.look(conn)
    fleet = Fleet(host, port, given.prefix, given.drop)
    _let_in(given, list(passwords.items())[-1])
    every = _stations(given, fleet, passwords, standings)
    meter = Meter(memory.find(store.data_dir / FILE, port), sum(len(each.backlog.bodies) for each in every))
    try:
        seconds = fleet.run(every, given.seconds, meter.word)
        meter.word(seconds, fleet.traffic)
        drained = fleet.traffic.drained == len(every)
        heard = not drained or fleet.linger(every, lambda: _nothing_owed(store, passwords), LINGER_S)
    finally:
        fleet.close(every)
    with store.read() as conn:
        found = reckoning.differences(conn, before, {each.name: each for each in every})
    found += [] if heard else ["what headquarters has for the stations was not acknowledged by all of them"]
    return _summary(every, fleet.traffic, seconds, meter, fleet.traffic.problems + found)


def _nothing_owed(store: Store, names: Collection[str]) -> bool:
    with store.read() as conn:
        return books.owed(conn, names) == 0


def _stations(
    given: argparse.Namespace, fleet: Fleet, passwords: dict[str, str], standings: dict[str, Standing]
) -> list[SimulatedStation]:
    rng, until = random.Random(given.seed), _now_ms()
    kinds = min(backlog.VARIETY, given.stations)
    backlogs = [backlog.make(rng, given.messages, until) for _ in range(kinds)]
    now, spread = time.monotonic(), 0.0 if given.at_once else RETRY_MAX
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


def _let_in(given: argparse.Namespace, station: tuple[str, str]) -> None:
    """Wait until the broker knows the station that was made last."""
    name, password = station
    fleet = Fleet(given.mqtt[0], given.mqtt[1], given.prefix, 0.0)
    probe = SimulatedStation(
        name, password, fleet.line, Standing("-", 0, "", 0), backlog.Backlog([], 0), 0.0, random.Random(0)
    )
    if not fleet.reach(probe, LET_IN_S):
        raise Refused(
            f"The broker at {given.mqtt[0]}:{given.mqtt[1]} does not let {name} in: does the headquarters of "
            f"{given.data} run there?"
        )


@dataclass
class Meter:
    """What is said once a second, and what is remembered of it."""

    processes: list[Process]
    messages: int
    _before: tuple[float, int] = (0.0, 0)

    def word(self, seconds: float, traffic: Traffic) -> None:
        """One line."""
        for each in self.processes:
            each.look()
        (at, acknowledged), self._before = self._before, (seconds, traffic.acknowledged)
        rate = (traffic.acknowledged - acknowledged) / (seconds - at) if seconds > at else 0.0
        _say(
            f"{seconds:5.0f} s  {traffic.connected} connected  {traffic.drained} drained  "
            f"{traffic.acknowledged:,} of {self.messages:,} messages  {rate:,.0f}/s  "
            + "  ".join(str(each) for each in self.processes)
        )


def _summary(
    every: list[SimulatedStation], traffic: Traffic, seconds: float, meter: Meter, problems: list[str]
) -> int:
    acknowledged = traffic.drained == len(every)
    events = sum(each.backlog.events.total() for each in every)
    _say(
        f"{traffic.drained} of {len(every)} stations drained in {seconds:.1f} s: {traffic.acknowledged:,} of "
        f"{meter.messages:,} messages ({events:,} events, the rest heartbeats), "
        f"{traffic.acknowledged / seconds if seconds else 0:,.0f} messages/s"
    )
    _say(
        f"{traffic.frames:,} frames, {traffic.bytes / 2**20:.1f} MiB; {traffic.dropped} frames and answers "
        f"were lost on purpose; {traffic.letters} messages came down; {traffic.broken} connections broke"
    )
    for each in meter.processes:
        _say(
            f"{each.what} (process {each.pid}): {each.most:.0f} MiB at most, "
            f"{each.cpu:.1f} s of processor time"
        )
    for problem in problems[: reckoning.SHOWN]:
        _say(f"DIFFERENCE {problem}")
    if len(problems) > reckoning.SHOWN:
        _say(f"DIFFERENCE and {len(problems) - reckoning.SHOWN} more")
    if acknowledged and not problems:
        _say("Everything was acknowledged, and headquarters has exactly what was said.")
        return 0
    _say(
        "NOT everything was acknowledged."
        if not acknowledged
        else "Headquarters does NOT have what was said."
    )
    return 1


def _check(given: argparse.Namespace, host: str) -> None:
    if not _is_loopback(host):
        raise Refused(
            f"{host} is another machine; simulate speaks only to a broker on this one, such as 127.0.0.1."
        )
    for what, n, most in (
        ("stations", given.stations, MOST_STATIONS),
        ("messages of a station", given.messages, MOST_MESSAGES),
        ("messages of all stations", given.stations * given.messages, MOST_ALL),
    ):
        if not 1 <= n <= most:
            raise Refused(f"{n} {what} are asked for; 1 to {most} can be simulated.")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no address; write HOST:PORT, such as 127.0.0.1:1883")
    return host.strip("[]"), int(port)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 0.5:
        raise argparse.ArgumentTypeError(f"'{text}' is no share; write a number from 0 to 0.5")
    return share


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _say(sentence: str) -> None:
    print(sentence, flush=True)  # noqa: T201 - a front door prints


def _complain(sentence: str) -> None:
    print(f"yizhan simulate: {sentence}", file=sys.stderr, flush=True)  # noqa: T201 - a front door prints
