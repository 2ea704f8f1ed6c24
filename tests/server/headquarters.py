"""Headquarters in a test's own folder: a real store, a real broker of either kind, the real collector."""

import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

from server.app import Headquarters, Options
from server.broker import free_port
from server.broker.embedded import EmbeddedBroker
from server.broker.mosquitto import MosquittoBroker
from server.collector import Collector
from server.store import Store, content, presence, refusals, rollups, stations, streams
from server.store.stations import Claimed
from tests.server import ground
from tests.server.station_client import StationClient, wall_ms

Kind = Literal["nats", "mosquitto"]

SLOTS = "legal_aid.slots"


class Office:
    """A running headquarters with what tests ask of it. `restart` ends the collector and starts another."""

    def __init__(self, folder: Path, kind: Kind) -> None:
        self.folder, self.kind = folder, kind
        self._mosquitto: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.options = Options(data=folder / "hq", http_port=0, mqtt_port=self.port)
        ground.lay(self.options.data)
        if kind == "mosquitto":
            self._start_mosquitto()
        self.hq = self._open()

    @property
    def store(self) -> Store:
        return self.hq.store

    @property
    def collector(self) -> Collector:
        assert self.hq.collector is not None
        return self.hq.collector

    def station(self, station_id: str) -> StationClient:
        """A station, added and claimed, that is not connected yet."""
        claimed = self.claim(station_id)
        self.hq.live.notice()
        return StationClient(claimed, self.port)

    def claim(self, station_id: str) -> Claimed:
        with self.store.write() as conn:
            code = stations.add(conn, station_id, name=f"{station_id} 站", now=wall_ms())
            return stations.claim(conn, code, wall_ms())

    def slot(self, slot_id: str, date: str = "2099-01-05", start: str = "09:00", **more: object) -> None:
        row = {
            "slot_id": slot_id,
            "date": date,
            "start": start,
            "minutes": 30,
            "person": "1 号律师",
            "role": "lawyer",
            "matters": "wages,injury",
            "room": "101",
            "free": True,
            **more,
        }
        with self.store.write() as conn:
            content.put(conn, SLOTS, "slot_id", [row])

    def stored(self, station_id: str) -> int:
        with self.store.read() as conn:
            return streams.stored_messages(conn, station_id)

    def rollups(self) -> dict[str, int]:
        """Station to its check-ins, from the rollups."""
        counts: dict[str, int] = {}
        with self.store.read() as conn:
            for (_, station, _, event, _), n in rollups.stored(conn).items():
                if event == "checked_in":
                    counts[station] = counts.get(station, 0) + n
        return counts

    def agrees(self) -> bool:
        """Whether the rollups equal a recount of the raw events."""
        with self.store.read() as conn:
            found = rollups.recount(conn, self.hq.manifests)
        return not found.differing and not found.unknown

    def refused(self) -> dict[tuple[str, str], int]:
        with self.store.read() as conn:
            return refusals.counts(conn)

    def presence(self, station_id: str) -> presence.Presence | None:
        with self.store.read() as conn:
            return presence.every(conn).get(station_id)

    def restart(self) -> None:
        """End broker and collector, the embedded broker with it, and start them again on the same data."""
        self.hq.stop()
        self.hq = self._open()

    def close(self) -> None:
        self.hq.stop()
        if self._mosquitto is not None:
            self._mosquitto.terminate()
            self._mosquitto.wait(10)

    def _open(self) -> Headquarters:
        hq = Headquarters.open(self.options)
        try:
            hq.collect()
        except BaseException:
            hq.stop()
            raise
        return hq

    def _start_mosquitto(self) -> None:
        folder = self.options.data / "mosquitto"
        broker = MosquittoBroker(folder, "127.0.0.1", self.port)
        with suppress(Exception):  # writes the files and then finds nobody there, as an operator would
            broker.start({})
        pid = self.folder / "mosquitto.pid"
        conf = self.folder / "mosquitto.conf"
        own = f"user root\npid_file {pid}\nlog_dest none\n" if os.getuid() == 0 else f"pid_file {pid}\n"
        conf.write_text(own + broker.snippet.read_text())
        binary = shutil.which("mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or "mosquitto"
        self._mosquitto = subprocess.Popen([binary, "-c", str(conf)])
        deadline = time.monotonic() + 10
        while not pid.exists() or not pid.read_text().strip():
            assert time.monotonic() < deadline, "Mosquitto does not start"
            assert self._mosquitto.poll() is None, "Mosquitto ended at once"
            time.sleep(0.02)
        self.options = Options(data=self.options.data, mqtt=("127.0.0.1", self.port), mqtt_pid=pid)

    def kill_broker(self) -> None:
        """The embedded broker dies without a word."""
        broker = self.hq.broker
        assert isinstance(broker, EmbeddedBroker)
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)


def eventually(true, seconds: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    """Wait until a condition in another process or thread holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.01)
