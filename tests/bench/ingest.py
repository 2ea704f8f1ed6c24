"""Events a second that one collector takes in durably over real MQTT, against a plain loop.

Ours: the real collector, twelve simulated stations that speak the real protocol, timed from their connecting
to the last acknowledgement, which the collector gives after its commit. The other: paho and sqlite-utils with
one commit a message, timed from its first to its last commit. Same broker, same events, same disk.
"""

import random
import secrets
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from sqlalchemy import func, select

from protocol import messages, topics
from protocol.messages import Event
from protocol.topics import PREFIX
from server.broker.embedded import EmbeddedBroker
from server.simulate.backlog import Backlog
from server.simulate.fleet import Fleet
from server.simulate.station import SimulatedStation, Standing
from server.store import Store, stations
from server.store.schema import message, rollup
from tests.bench.measure import Figure, interleaved

ROUNDS = 5
STATIONS = 12
EVENTS = 8_000  # a station and round
NAIVE_EVENTS = 2_000
TRADES = ("delivery", "courier", "sanitation", "trucker")


def events(count: int) -> list[Event]:
    """Visits as check-in reports them, spread over two hours."""
    now = time.time_ns() // 1_000_000
    return [
        Event(
            at=now - 7_200_000 + number * 7_200_000 // count,
            up=number + 1,
            plugin="check_in",
            name="checked_in",
            d={"trade": TRADES[number % 4], "method": "tap", "first_today": number % 3 == 0},
        )
        for number in range(count)
    ]


class Intake:
    """A broker and headquarters' store; each arm starts its own reader of the same broker."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = Store(folder / "headquarters")
        self.passwords: dict[str, str] = {}
        with self.store.write() as conn:
            now = time.time_ns() // 1_000_000
            for number in range(STATIONS):
                code = stations.add(conn, f"bench-{number}", name=f"bench {number}", now=now)
                claimed = stations.claim(conn, code, now)
                self.passwords[claimed.station] = claimed.mqtt_password
            active = stations.active(conn)
        self.broker = EmbeddedBroker(folder / "broker", "127.0.0.1", 0)
        self.broker.start(active)
        self.rounds = 0

    def close(self) -> None:
        self.broker.stop()
        self.store.close()

    def ours(self) -> float:
        """Events a second, all stored once and counted in the rollups."""
        collector = self._child("tests.bench.collect", str(self.folder / "headquarters"))
        try:
            said = events(EVENTS)
            backlog = Backlog([messages.encode(each) for each in said], said[0].at)
            fleet = Fleet("127.0.0.1", self.broker.port, PREFIX, drop=0)
            them = [self._station(*each, fleet, backlog) for each in self.passwords.items()]
            seconds = fleet.run(them, 300, lambda *_: None)
            fleet.close(them)
            assert fleet.traffic.drained == STATIONS, "not everything was acknowledged"
        finally:
            self._end(collector)
        self.rounds += 1
        with self.store.read() as conn:
            stored = conn.scalar(select(func.count()).select_from(message))
            counted = conn.scalar(select(func.sum(rollup.c.n)))
        assert stored == counted == self.rounds * STATIONS * EVENTS, "stored and counted differ"
        return STATIONS * EVENTS / seconds

    def naive(self) -> float:
        """Events a second of the plain loop."""
        file = self.folder / f"naive-{time.monotonic_ns()}.db"
        reader = self._child("tests.bench.naive_ingest", str(file), str(NAIVE_EVENTS))
        station, password = next(iter(self.passwords.items()))
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=station)
        client.username_pw_set(station, password)
        client.connect("127.0.0.1", self.broker.port)
        client.loop_start()
        try:
            for each in events(NAIVE_EVENTS):
                client.publish(topics.build(station, "up"), messages.encode(each), qos=1)
            assert reader.stdout is not None
            word, _, seconds = reader.stdout.readline().decode().partition(" ")
            assert word == "done"
        finally:
            client.disconnect()
            client.loop_stop()
            self._end(reader)
        return NAIVE_EVENTS / float(seconds)

    def _station(self, station: str, password: str, fleet: Fleet, backlog: Backlog) -> SimulatedStation:
        """A station with a stream of its own for each round, that returns at once."""
        standing = Standing(secrets.token_hex(8), 0, "", 0)
        return SimulatedStation(station, password, fleet.line, standing, backlog, 0.0, random.Random())

    def _child(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                module,
                *arguments,
                str(self.broker.port),
                self.broker.user,
                self.broker.password,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        assert child.stdout.readline() == b"ready\n"
        return child

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        child.communicate(timeout=60)


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        intake = Intake(Path(folder))
        try:
            ours, naive = interleaved(intake.ours, intake.naive, ROUNDS)
        finally:
            intake.close()
    detail = (
        f"median of {ROUNDS}, interleaved: collector {ours:,.0f} events/s, plain loop {naive:,.0f} events/s"
    )
    return [
        Figure(
            "events/s taken in durably ÷ plain paho + sqlite-utils loop", ours / naive, "", 20, True, detail
        )
    ]
