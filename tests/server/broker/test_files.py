"""What each broker is told: exactly the stations that may speak, each with exactly its own topics."""

import os
import signal
import stat
import threading
from pathlib import Path

import pytest

from server.broker import check_free, free_port
from server.broker.embedded import EmbeddedBroker
from server.broker.mosquitto import MosquittoBroker
from server.errors import BrokerError, PortTaken
from server.store.stations import bcrypt_hash, pbkdf2_hash
from tests.server.headquarters import eventually


def credentials(*names: str) -> dict[str, tuple[str, str]]:
    return {name: (bcrypt_hash("x"), pbkdf2_hash("x")) for name in names}


def test_the_embedded_broker_holds_hashes_in_a_file_of_our_own(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path, "127.0.0.1", 0)
    stations = credentials("st-1", "st-2")
    broker.start(stations)
    conf = tmp_path / "nats.conf"
    try:
        assert stat.S_IMODE(conf.stat().st_mode) == 0o600
        text = conf.read_text()
        assert broker.password not in text
        assert '{"publish": ["yz.1.st-1.up", "yz.1.st-1.state"], "subscribe": ["yz.1.st-1.down"]}' in text
        broker.update({"st-2": stations["st-2"]})
        assert ".st-1." not in conf.read_text()
        with pytest.raises(PortTaken):
            EmbeddedBroker(tmp_path / "other", "127.0.0.1", broker.port).start({})
    finally:
        broker.stop()
    check_free("127.0.0.1", broker.port, "another")
    assert broker.pid is None


def test_a_broker_that_cannot_be_started_again_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.broker.embedded.RESTART_S", (0.05, 0.1))
    broker = EmbeddedBroker(tmp_path, "127.0.0.1", 0)
    broker.start(credentials("st-1"))
    spawn, tries = broker._spawn, threading.Semaphore(0)

    def full() -> None:
        tries.release()
        raise OSError(28, "No space left on device")

    try:
        monkeypatch.setattr(broker, "_spawn", full)
        first = broker.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        for _ in range(3):
            assert tries.acquire(timeout=10)
        monkeypatch.setattr(broker, "_spawn", spawn)
        eventually(lambda: broker.pid is not None)
        assert broker.pid != first
    finally:
        broker.stop()


def test_a_broker_that_ends_at_once_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.broker.embedded.MAX_PAYLOAD", "nonsense")
    broker = EmbeddedBroker(tmp_path, "127.0.0.1", 0)
    with pytest.raises(BrokerError, match="ended at once"):
        broker.start({})
    assert broker.pid is None


def test_mosquitto_files_name_every_station_once_and_change_only_when_stations_do(tmp_path: Path) -> None:
    broker = MosquittoBroker(tmp_path, "127.0.0.1", free_port())
    with pytest.raises(BrokerError, match="No MQTT broker answers"):
        broker.start(credentials("st-1"))
    names = [line.partition(":")[0] for line in broker.passwords.read_text().splitlines()]
    assert names == ["collector", "st-1"]
    assert "pattern write yz/1/%u/up" in broker.access.read_text()
    assert "allow_anonymous false" in broker.snippet.read_text()
    assert stat.S_IMODE((tmp_path / "collector").stat().st_mode) == 0o600
    # The same collector comes back with the same password, so that Mosquitto need not be told.
    assert MosquittoBroker(tmp_path, "127.0.0.1", broker.port).password == broker.password
