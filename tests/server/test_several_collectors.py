"""More than one collector on one database: real processes, exact counts, each request answered once."""

import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from server.cli import main
from tests.server.beside import Beside, Nest
from tests.server.headquarters import Office


@pytest.fixture(scope="module")
def nest() -> Iterator[Nest]:
    nest = Nest()
    yield nest
    nest.close()


@pytest.fixture
def ends() -> Iterator[ExitStack]:
    with ExitStack() as ends:
        yield ends


def test_two_collectors_count_once_and_answer_once(office: Office, nest: Nest, ends: ExitStack) -> None:
    for n in range(8):
        office.slot(f"S{n}", start=f"{9 + n:02}:00")
    other = Beside(nest, office)
    ends.callback(other.end)
    them = [ends.enter_context(office.station(f"st-{n}")) for n in range(3)]
    for n in range(8):
        for each in them:
            each.check_in(30)
        them[n % 3].book(f"S{n}", f"r-{n}")
    for each in them:
        each.heartbeat()
        each.acked()
    answers = [each.reply() for n in range(8) for each in [them[n % 3]]]
    assert sorted(each.id for each in answers) == [f"r-{n}" for n in range(8)]
    assert {each.status for each in answers} == {"confirmed"}
    assert office.rollups() == {f"st-{n}": 240 for n in range(3)}
    assert office.agrees()
    assert other.end() == 0
    for each in them:
        each.check_in(1)
        each.acked()
        assert each.replies.empty()
        assert each.forks == 0
    assert office.rollups() == {f"st-{n}": 241 for n in range(3)}
    assert not office.refused()


def test_a_collector_beside_goes_on_alone_and_over_a_restart_of_headquarters(
    nats_office: Office, nest: Nest, ends: ExitStack
) -> None:
    nats_office.slot("S1")
    other = Beside(nest, nats_office)
    ends.callback(other.end)
    with nats_office.station("st-1") as station:
        station.check_in(5)
        station.acked()
        nats_office.collector.stop()
        station.check_in(5)
        station.book("S1", "r")
        station.acked()
        assert station.reply().status == "confirmed"
        nats_office.restart()  # its broker too
        nats_office.collector.stop()
        station.check_in(5)
        station.acked()
    assert nats_office.rollups() == {"st-1": 15}


def test_a_collector_killed_at_each_named_place_loses_and_doubles_nothing(
    nats_office: Office, nest: Nest, ends: ExitStack
) -> None:
    station = ends.enter_context(nats_office.station("st-1"))
    nats_office.collector.stop()
    places = ("before_commit", "after_commit", "before_ack", "after_ack", "mid_batch")
    for n, place in enumerate(places):
        nats_office.slot(f"S{n}", start=f"{9 + n:02}:00")
        dying = Beside(nest, nats_office, f"{place}:2")
        ends.callback(dying.end)
        station.book(f"S{n}", f"r-{n}")
        assert dying.killed(station)
    heir = Beside(nest, nats_office)
    ends.callback(heir.end)
    station.heartbeat()
    station.acked()
    assert sorted(station.reply().id for _ in places) == [f"r-{n}" for n in range(len(places))]
    assert nats_office.rollups() == {"st-1": len(station.outbox) - len(places) - 1}
    assert nats_office.stored("st-1") == len(station.outbox)
    assert nats_office.agrees()
    assert station.replies.empty()


def test_the_collectors_password_is_ours_alone_and_lasts(nats_office: Office) -> None:
    file = nats_office.options.data / "broker" / "collector"
    password = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    nats_office.restart()
    assert file.read_text() == password


def test_without_a_headquarters_there_is_nothing_to_collect_beside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["collect", "--data", str(tmp_path / "hq")]) == 2
    assert "No headquarters has started its broker" in capsys.readouterr().err
