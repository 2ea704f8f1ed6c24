"""Check-in on a real database: what is counted, what is kept, what is thrown away."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk.testing import FakeStation, FrozenClock

CODE = "ZJ-0081234"


@pytest.fixture
def station() -> Iterator[FakeStation]:
    with FakeStation("check_in") as station:
        yield station


def sign_in(station: FakeStation, trade: str = "courier", code: str = "") -> bool:
    """What the screen does: judge, and sign in if it counts."""
    if code:
        station.hook("scanned", code)
    if not station.store.judge().counts:
        return False
    receipt = station.store.sign_in(trade)
    station.settle()
    assert receipt.ok
    return True


def rows(station: FakeStation, sql: str) -> list[tuple[Any, ...]]:
    return station.database.read(lambda db: db.execute(sql).fetchall()).wait().value


def test_a_tap_is_counted_once_it_is_on_disk(station: FakeStation) -> None:
    receipt = station.store.sign_in("courier")
    assert station.store.visits() == 0
    station.settle()
    assert receipt.ok
    assert station.store.visits() == 1
    assert [event.d for event in station.events("checked_in")] == [{"trade": "courier", "method": "tap"}]
    assert station.session.facts["trade"] == "courier"
    assert ("refresh", "check_in") in station.shell.asked


def test_what_is_not_stored_is_not_counted(station: FakeStation) -> None:
    station.database.write(lambda db: db.execute("DROP TABLE check_in_day")).wait()
    receipt = station.store.sign_in("courier")
    station.settle()
    assert not receipt.ok
    assert station.store.visits() == 0
    assert station.store.sign_in("courier") is not receipt
    station.settle()
    assert station.events("checked_in") == []
    assert "trade" not in station.session.facts


def test_the_tile_shows_the_visits_of_today(station: FakeStation) -> None:
    sign_in(station)
    tile = station.hook("tile")
    assert (tile.number, tile.caption) == (1, "今日人次")


def test_a_second_tap_of_the_same_visitor_counts_only_after_the_window(station: FakeStation) -> None:
    assert sign_in(station)
    assert not sign_in(station)
    station.advance(minutes=29)
    assert not sign_in(station)
    station.advance(minutes=1)
    assert sign_in(station)


def test_the_next_visitors_tap_counts_at_once(station: FakeStation) -> None:
    assert sign_in(station)
    station.end_session()
    assert sign_in(station)
    assert station.store.visits() == 2


def test_a_window_of_nothing_counts_every_tap(station: FakeStation) -> None:
    station.set("reentry_minutes", 0)
    assert sign_in(station)
    assert sign_in(station)


def test_a_person_counts_once_inside_the_window_whatever_the_session(station: FakeStation) -> None:
    assert sign_in(station, code=CODE)
    station.end_session()
    station.advance(minutes=10)
    assert not sign_in(station, code=CODE.lower())
    station.end_session()
    assert sign_in(station, code="OTHER-001")
    station.end_session()
    station.advance(minutes=20)
    assert sign_in(station, code=f"YZ:{CODE}")
    assert [event.d.get("first_today") for event in station.events("checked_in")] == [True, True, False]


def test_the_reader_tells_cards_from_codes(station: FakeStation) -> None:
    sign_in(station, code="0012345678")
    station.end_session()
    sign_in(station, code="00123456789")
    assert [event.d["method"] for event in station.events("checked_in")] == ["card", "code"]


def test_a_restart_keeps_the_count_and_the_people(tmp_path: Path) -> None:
    clock = FrozenClock()
    with FakeStation("check_in", data=tmp_path, clock=clock) as station:
        sign_in(station, code=CODE)
        station.end_session()
        sign_in(station)
    clock.advance(minutes=5)
    with FakeStation("check_in", data=tmp_path, clock=clock) as station:
        assert station.store.visits() == 2
        assert not sign_in(station, code=CODE)
        clock.advance(minutes=25)
        assert sign_in(station, code=CODE)
        assert station.events("checked_in")[-1].d["first_today"] is False


def test_at_midnight_the_count_begins_anew_and_the_people_are_forgotten(station: FakeStation) -> None:
    station.clock.set("2026-11-21 23:50")
    sign_in(station, code=CODE)
    station.end_session()
    ((key, people),) = rows(station, "SELECT key, (SELECT count(*) FROM check_in_person) FROM check_in_day")
    assert len(key) == 32
    assert people == 1
    station.advance(minutes=11)
    assert station.hook("tile").number == 0
    station.settle()
    assert rows(station, "SELECT day, visits FROM check_in_day ORDER BY day") == [
        ("2026-11-21", 1),
        ("2026-11-22", 0),
    ]
    assert rows(station, "SELECT count(*) FROM check_in_person") == [(0,)]
    assert rows(station, "SELECT key FROM check_in_day WHERE day = '2026-11-21'") == [(None,)]
    assert rows(station, "SELECT key FROM check_in_day WHERE day = '2026-11-22'") != [(key,)]
    assert sign_in(station, code=CODE)
    assert station.events("checked_in")[-1].d["first_today"] is True


def test_yesterdays_key_and_people_are_gone_from_the_disk(tmp_path: Path) -> None:
    with FakeStation("check_in", data=tmp_path) as station:
        sign_in(station, code=CODE)
        ((key, person),) = rows(
            station, "SELECT key, person FROM check_in_day JOIN check_in_person USING (day)"
        )
        station.advance(hours=14)
    written = (tmp_path / "station.db").read_bytes()
    assert key not in written
    assert person not in written


def test_the_home_screen_turns_to_the_new_day_by_itself(station: FakeStation) -> None:
    sign_in(station)
    station.shell.asked.clear()
    station.advance(hours=14)
    assert ("refresh", "check_in") in station.shell.asked
    assert station.hook("tile").number == 0


def test_a_clock_set_back_a_day_finds_that_days_count_again(station: FakeStation) -> None:
    sign_in(station)
    station.end_session()
    station.clock.set("2036-01-01 00:00")
    sign_in(station)
    assert station.store.visits() == 1
    station.end_session()
    station.clock.set("2026-11-21 12:00")
    station.store.visits()
    station.settle()
    assert station.store.visits() == 1
    sign_in(station)
    assert station.store.visits() == 2


def test_no_code_is_on_disk_or_in_the_stream(tmp_path: Path) -> None:
    with FakeStation("check_in", data=tmp_path) as station:
        sign_in(station, code=CODE)
        assert CODE not in str(station.said())
    for file in tmp_path.iterdir():
        assert CODE.encode() not in file.read_bytes()


def test_a_code_opens_the_screen_and_is_forgotten_with_the_session(station: FakeStation) -> None:
    assert station.hook("scanned", CODE) is True
    assert station.shell.asked[-1] == ("go", "check_in", "scanned")
    assert station.store.read is not None
    station.end_session()
    assert station.store.read is None


def test_what_is_no_code_is_left_to_others_unless_somebody_is_checking_in(station: FakeStation) -> None:
    assert station.hook("scanned", "48213") is False
    assert station.shell.asked == []
    station.store.shown = lambda: True
    assert station.hook("scanned", "12:;") is True
    assert station.store.misread
    assert station.store.read is None


def test_after_a_bad_reading_a_number_can_be_typed(station: FakeStation) -> None:
    station.store.shown = lambda: True
    station.hook("scanned", "12:;")
    assert station.store.step() == "misread"
    assert station.store.type_in("123456")
    assert station.store.step() == "ask"
    sign_in(station)
    assert station.events("checked_in")[0].d["method"] == "code"


def test_after_a_bad_reading_a_tap_is_enough(station: FakeStation) -> None:
    station.store.shown = lambda: True
    station.hook("scanned", "12:;")
    station.store.without_code()
    assert station.store.step() == "ask"


def test_a_code_read_twice_while_it_is_being_stored_counts_once(station: FakeStation) -> None:
    station.hook("scanned", CODE)
    station.store.sign_in("courier")
    asked = len(station.shell.asked)
    station.store.shown = lambda: True
    assert station.hook("scanned", CODE) is True
    assert len(station.shell.asked) == asked
    station.settle()
    assert station.store.visits() == 1


def test_a_code_after_somebody_was_done_begins_a_new_session(station: FakeStation) -> None:
    sign_in(station, code=CODE)
    station.store.done = True
    station.hook("scanned", "OTHER-001")
    assert ("finish",) in station.shell.asked
    assert station.shell.asked[-1] == ("go", "check_in", "scanned")


def test_old_days_do_not_pile_up(station: FakeStation) -> None:
    for _ in range(50):
        station.clock.advance(days=1)
        station.store.visits()
    station.settle()
    assert rows(station, "SELECT count(*) FROM check_in_day")[0][0] <= 41
