"""Headquarters with each broker."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.headquarters import Office


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same mechanisms with shorter patience, so that tests of faults do not wait for it."""
    monkeypatch.setattr("protocol.stream.RETRY_MIN", 0.5)
    monkeypatch.setattr("server.store.engine.BUSY_MS", 200)
    monkeypatch.setattr("server.collector.WATCH_S", 0.2)


@pytest.fixture(params=["nats", "mosquitto"])
def office(quick: None, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Office]:
    """Headquarters beside each of the two brokers."""
    office = Office(tmp_path, request.param)
    yield office
    office.close()


@pytest.fixture
def nats_office(quick: None, tmp_path: Path) -> Iterator[Office]:
    """Headquarters with the embedded broker."""
    office = Office(tmp_path, "nats")
    yield office
    office.close()
