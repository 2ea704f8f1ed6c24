"""One station returns after 72 hours: how long until headquarters has its 1,500 messages.

The station's own outbox, database and link, without a window, on the real broker and the real headquarters.
Timed from the moment at which the link begins to connect until the station has the last acknowledgement on
its disk, which it notes once a second. The random wait before, which spreads the stations, is no part of it.
"""

import random
import statistics
import tempfile
import time
from pathlib import Path

from kiosk import tables
from kiosk.claim import Credentials, Mqtt
from kiosk.clock import SystemClock
from kiosk.database import Database
from kiosk.inbox import Inbox
from kiosk.link import Link
from kiosk.outbox import Outbox
from protocol import messages
from protocol.messages import Event, Heartbeat
from server.simulate import backlog
from server.simulate.run import now_ms
from server.store import Store, stations, streams
from tests.bench.headquarters import headquarters
from tests.bench.measure import Figure

ROUNDS = 5
NAME = "bench"
PATIENCE_S = 60.0


class Station:
    """What a kiosk has below its window."""

    def __init__(self, path: Path, credentials: Credentials) -> None:
        self.database = Database(path, tables.prepare)
        self.outbox = Outbox(self.database, SystemClock())
        self.outbox.load().wait()
        self.inbox = Inbox(self.database, SystemClock())
        self.inbox.load().wait()
        self._credentials = credentials

    def away(self, seed: int) -> None:
        """Three days without a line: everything is stored, nothing leaves."""
        made = backlog.make(random.Random(seed), backlog.MESSAGES, now_ms())
        said = [messages.decode(body) for body in made.bodies]
        receipts = [self.outbox.say(each) for each in said if isinstance(each, Event | Heartbeat)]
        assert len(receipts) == backlog.MESSAGES
        for receipt in receipts:
            receipt.wait()

    def back(self) -> float:
        """The line is there: seconds until nothing waits."""
        link = Link(
            self.outbox,
            self.inbox,
            self.database,
            SystemClock(),
            self._credentials,
            letter=lambda _: None,
            retry=(0.05, 0.2),  # the broker knows a new station a moment after it is claimed
        )
        began = time.perf_counter()
        link.start()
        try:
            while self.outbox.acked < self.outbox.last:
                if time.perf_counter() - began > PATIENCE_S:
                    raise TimeoutError("not everything was acknowledged")
                time.sleep(0.005)
            return time.perf_counter() - began
        finally:
            link.stop()


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, headquarters(Path(folder) / "headquarters") as there:
        store = Store(there.data)
        with store.write() as conn:
            code = stations.add(conn, NAME, name="bench", now=now_ms())
            claimed = stations.claim(conn, code, now_ms())
        mqtt = Mqtt(port=there.mqtt_port, user=NAME, password=claimed.mqtt_password, host="127.0.0.1")
        station = Station(
            Path(folder) / "station" / "station.db",
            Credentials(NAME, claimed.token, mqtt, server=there.address),
        )
        times = []
        try:
            for seed in range(ROUNDS + 1):  # the first one also waits until the broker knows the station
                station.away(seed)
                times.append(station.back())
            with store.read() as conn:
                stored = streams.stored_messages(conn, NAME)
        finally:
            station.database.close()
            store.close()
    assert stored == (ROUNDS + 1) * backlog.MESSAGES, "stored and said differ"
    detail = (
        f"median of {ROUNDS}: {', '.join(f'{each:.2f}' for each in times[1:])} s; {stored} messages stored"
    )
    return [
        Figure(
            "a 72-hour backlog of one station drained", statistics.median(times[1:]), "s", 10, detail=detail
        )
    ]
