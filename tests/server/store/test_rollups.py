"""Hourly numbers equal a recount of the raw events, also late ones, and as far as those are still there."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import update

from server.cli import main
from server.store import messages, rollups
from server.store.messages import DAY_MS
from server.store.rollups import HOUR_MS
from server.store.schema import rollup
from tests.server.line import CHECK_IN, NOW, Line, at

HOUR = NOW - NOW % HOUR_MS


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path / "hq")
    yield line
    line.store.close()


def recount(line: Line) -> rollups.Recount:
    with line.store.read() as conn:
        return rollups.recount(conn, line.manifests)


def happened(line: Line, when: int, number: int, arrived: int = NOW) -> None:
    """A check-in of station 1 at a time (ms), told at another."""
    up = 10 * DAY_MS
    said = at(CHECK_IN, when, up - (arrived - when))
    line.ingest.take([line.put(said, first=number, now=arrived, up=up, sent=arrived)])


def numbers(line: Line) -> dict[int, int]:
    with line.store.read() as conn:
        return {(key[0] - HOUR) // HOUR_MS: n for key, n in rollups.stored(conn).items()}


def test_late_data_changes_the_hour_in_which_it_happened(line: Line) -> None:
    happened(line, NOW - 5 * HOUR_MS, 1, NOW - 5 * HOUR_MS)
    happened(line, NOW, 2)
    assert numbers(line) == {-5: 1, 0: 1}
    happened(line, NOW - 5 * HOUR_MS + 1, 3)
    happened(line, NOW - 3 * HOUR_MS, 4)
    assert numbers(line) == {-5: 2, -3: 1, 0: 1}
    assert not recount(line).differing


def test_hours_whose_events_have_expired_stand_and_all_others_are_counted_exactly(line: Line) -> None:
    old = NOW - 3 * DAY_MS + HOUR_MS // 2
    happened(line, old, 1, old)
    happened(line, NOW - 2 * DAY_MS, 2, NOW - 2 * DAY_MS)
    happened(line, old, 3)  # late: its hour has one event that expires, and one that does not
    assert recount(line).before == 0
    with line.store.write() as conn:
        assert messages.expire(conn, NOW + DAY_MS // 2, keep_days=3) == 1
        assert messages.expire(conn, NOW, keep_days=3) == 0  # a clock that was set back hides nothing again
    found = recount(line)
    assert found.before == HOUR + HOUR_MS - 3 * DAY_MS + DAY_MS // 2 - (HOUR_MS if HOUR == NOW else 0)
    assert (found.older, sum(found.counted.values()), found.differing) == (1, 1, set())
    with line.store.write() as conn:
        conn.execute(update(rollup).where(rollup.c.hour >= found.before).values(n=5))
        assert len(rollups.repair(conn, line.manifests).differing) == 1
    assert not recount(line).differing
    assert sorted(numbers(line).values()) == [1, 2]


def test_what_the_table_has_from_nowhere_is_found_and_removed(line: Line) -> None:
    happened(line, NOW, 1)
    invented = (HOUR - 50 * HOUR_MS, "st-2", "check_in", "checked_in", "{}")
    with line.store.write() as conn:
        rollups.add(conn, {invented: 3})
    assert recount(line).differing == {invented}
    with line.store.write() as conn:
        rollups.repair(conn, line.manifests)
    assert not recount(line).differing
    assert numbers(line) == {0: 1}


def test_events_that_no_manifest_declares_any_more_are_named(line: Line) -> None:
    happened(line, NOW, 1)
    without = {name: each for name, each in line.manifests.items() if name != "check_in"}
    with line.store.read() as conn:
        found = rollups.recount(conn, without)
    assert found.unknown == {("check_in", "checked_in"): 1}
    assert not found.differing


def test_an_event_that_came_before_its_manifest_stays_in_no_number(line: Line) -> None:
    novel = msgspec.structs.replace(CHECK_IN, plugin="novel")
    line.ingest.take([line.put(novel, CHECK_IN)])
    assert line.refused() == {("undeclared_event", "st-1"): 1}
    declared = {**line.manifests, "novel": line.manifests["check_in"]}
    with line.store.read() as conn:
        found = rollups.recount(conn, declared)
    assert (sum(found.counted.values()), found.differing) == (1, set())


def test_the_command_says_what_differs_and_repairs_it(line: Line, capsys: pytest.CaptureFixture[str]) -> None:
    happened(line, NOW, 1)
    words = ["--data", str(line.store.data_dir)]
    assert main(["recount", *words]) == 0
    assert "1 events in 1 hourly numbers; 0 differ." in capsys.readouterr().out
    with line.store.write() as conn:
        conn.execute(update(rollup).values(n=2))
    assert main(["recount", *words]) == 1
    assert "1 differ." in capsys.readouterr().out
    assert main(["recount", *words, "--repair"]) == 0
    assert main(["recount", *words]) == 0
    with line.store.write() as conn:
        messages.expire(conn, NOW + DAY_MS, keep_days=0)
    capsys.readouterr()
    assert main(["recount", *words]) == 0
    assert "1 hourly numbers before 2027-01-16 16:00 stand" in capsys.readouterr().out
