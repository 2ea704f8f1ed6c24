"""What headquarters shows: complete, partial and unknown told apart, never a guess."""

from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
from sqlalchemy import event

from server import queries
from server.figures import Overview
from server.manifests import read_all
from server.store import Store, gaps, presence, rollups, stations, streams, watermarks
from server.store.presence import Presence
from tests.server import ground

DAY = date(2026, 11, 23)
HOUR = 3600 * 1000


def ms(clock: str, day: str = "2026-11-23") -> int:
    return int(datetime.fromisoformat(f"{day}T{clock}:00+08:00").timestamp() * 1000)


NOW = ms("10:20")


class Town:
    def __init__(self, folder: Path) -> None:
        ground.lay(folder)
        self.store = Store(folder)
        self.manifests, _ = read_all()

    def station(
        self, name: str, complete_to: str | None, seen: str = "10:19", claimed: str = "00:00"
    ) -> None:
        with self.store.write() as conn:
            at = ms(claimed)
            stations.claim(conn, stations.add(conn, name, name=name, now=at), at)
            presence.store(conn, [Presence(name, True, 1, "b", ms(seen))])
            if complete_to:
                watermarks.move(conn, [(name, ms(complete_to), ms(seen), "1.0.0", "{}")])

    def events(
        self, station: str, hour: str, n: int, dims: str, what: str = "check_in.checked_in", day: str = "23"
    ) -> None:
        plugin, _, name = what.partition(".")
        with self.store.write() as conn:
            rollups.add(conn, {(ms(hour, f"2026-11-{day}"), station, plugin, name, dims): n})

    def look(self, day: date = DAY) -> Overview:
        with self.store.read() as conn:
            return queries.overview(conn, self.manifests, day, NOW)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    town = Town(tmp_path)
    yield town
    town.store.close()


def test_visits_are_split_by_hour_and_trade(town: Town) -> None:
    town.station("st-1", "10:15")
    town.events("st-1", "08:00", 5, '{"first_today":true,"method":"tap","trade":"courier"}')
    town.events("st-1", "08:00", 2, '{"method":"card","trade":"delivery"}')
    town.events("st-1", "09:00", 1, '{"method":"tap","trade":"courier"}')
    town.events("st-1", "08:00", 6, '{"method":"tap","trade":"courier"}', day="16")
    found = town.look()
    assert (found.visits, found.visits_before, found.people) == (8, 6, 5)
    assert found.hours[8].by == {"courier": 5, "delivery": 2}
    assert found.hours[8].label == "08:00"
    assert [hour.n for hour in found.hours] == [0] * 8 + [7, 1] + [0] * 14
    assert found.splits[:2] == ["delivery", "courier"]


def test_an_hour_is_complete_only_when_every_station_has_reported_all_of_it(town: Town) -> None:
    town.station("st-1", "10:15")
    town.station("st-2", "09:30")
    town.station("st-3", None, claimed="09:10")
    states = [hour.state for hour in town.look().hours]
    # st-3 was not there before ten o'clock's hour; from nine on it owes its numbers.
    assert states[:9] == ["complete"] * 9
    assert states[9:11] == ["partial", "partial"]
    assert states[11:] == ["future"] * 13
    assert [(hour.complete, hour.expected) for hour in town.look().hours[8:11]] == [(2, 2), (1, 3), (0, 3)]


def test_an_hour_of_which_nobody_has_said_anything_is_unknown(town: Town) -> None:
    town.station("st-1", "09:00")
    town.station("st-2", None)
    states = [hour.state for hour in town.look().hours[8:11]]
    assert states == ["partial", "unknown", "unknown"]


def test_a_gap_makes_its_hours_and_every_sum_over_them_partial(town: Town) -> None:
    town.station("st-1", "10:15")
    town.station("st-2", "10:15")
    with town.store.write() as conn:
        gaps.record(conn, "st-2", ms("07:50"), ms("08:10"), "disk", 3, NOW)
    found = town.look()
    assert [hour.state for hour in found.hours[6:10]] == ["complete", "partial", "partial", "complete"]
    assert (found.sums.state, found.sums.complete, found.sums.expected) == ("partial", 1, 2)
    assert {line.id: line.state for line in found.stations} == {"st-1": "complete", "st-2": "partial"}
    with town.store.read() as conn:
        assert queries.count_events(conn, ms("08:00"), ms("09:00"), NOW).state == "partial"
        assert queries.count_events(conn, ms("08:00"), ms("09:00"), NOW, station="st-1").state == "complete"
        assert queries.count_events(conn, ms("09:00"), ms("10:00"), NOW).state == "complete"
        week = queries.span(conn, town.manifests, DAY, 7, NOW)
    assert (week.sums.state, week.sums.complete) == ("partial", 1)


def test_a_station_that_was_revoked_still_owes_what_was_before(town: Town) -> None:
    town.station("st-1", "10:15")
    town.station("st-2", "08:30")
    with town.store.write() as conn:
        stations.revoke(conn, "st-2", ms("09:00"))
    hours = town.look().hours
    assert [(hour.complete, hour.expected) for hour in hours[7:10]] == [(2, 2), (1, 2), (1, 1)]


def test_a_station_that_is_claimed_anew_still_owes_what_was_before(town: Town) -> None:
    town.station("st-1", "08:30")
    with town.store.write() as conn:
        streams.begin(conn, "st-1", "s", ms("00:00"), ms("00:05"))
        stations.claim(conn, stations.new_code(conn, "st-1", ms("10:00")), ms("10:00"))
    assert [hour.state for hour in town.look().hours[7:10]] == ["complete", "partial", "unknown"]


def test_a_station_that_is_behind_makes_the_day_partial_and_not_yesterday_its_end(town: Town) -> None:
    town.station("st-1", "10:15")
    town.station("st-2", "10:10")
    town.station("st-3", "02:00")  # is heard, and still brings what it kept
    sums = town.look().sums
    assert (sums.complete, sums.expected, sums.upto, sums.state) == (2, 3, ms("10:10"), "partial")


def test_a_comparison_says_whether_the_days_before_are_complete(town: Town) -> None:
    town.station("st-1", "10:15")
    assert town.look().before.state == "complete"
    with town.store.write() as conn:
        streams.begin(conn, "st-1", "s", 0, ms("00:05", "2026-11-16"))
        gaps.record(conn, "st-1", ms("09:00", "2026-11-16"), ms("09:30", "2026-11-16"), "lost", 9, NOW)
    assert town.look().before.state == "partial"
    assert town.look().sums.complete == 1


def test_complete_to_leaves_lost_stations_out_and_says_so(town: Town) -> None:
    town.station("st-1", "10:15")
    town.station("st-2", "10:10")
    town.station("st-3", "06:00", seen="06:01")
    found = town.look()
    assert found.complete_to == ms("10:10")
    assert found.complete_share == pytest.approx(2 / 3)
    assert (found.stations_total, found.stations_online, found.stations_lost) == (3, 2, 1)
    lines = {line.id: line for line in found.stations}
    assert lines["st-3"].lost
    assert not lines["st-3"].online
    assert lines["st-3"].complete_to == ms("06:00")


def test_no_station_is_no_knowledge(town: Town) -> None:
    found = town.look()
    assert found.complete_to is None
    assert {hour.state for hour in found.hours} == {"unknown", "future"}


def test_before_the_first_station_was_there_nothing_is_missing(town: Town) -> None:
    town.station("st-1", "10:15", claimed="08:30")
    states = {hour.label: hour.state for hour in town.look().hours}
    assert states["07:00"] == "complete"
    assert states["08:00"] == "complete"
    assert states["10:00"] == "partial"


def test_services_count_what_was_opened_and_what_was_finished(town: Town) -> None:
    town.station("st-1", "10:15")
    town.events("st-1", "08:00", 10, "{}", "jobs.opened")
    town.events("st-1", "08:00", 6, '{"how":"finished"}', "jobs.closed")
    town.events("st-1", "08:00", 3, '{"how":"idle"}', "jobs.closed")
    jobs = town.look().services[0]
    assert (jobs.plugin, jobs.opened, jobs.finished, jobs.left, jobs.idle) == ("jobs", 10, 6, 0, 3)


def test_metrics_follow_the_manifests(town: Town) -> None:
    town.station("st-1", "10:15")
    town.events("st-1", "08:00", 4, '{"matter":"wages"}', "legal_aid.asked")
    (asked,) = [each for each in town.look().metrics if (each.plugin, each.name) == ("legal_aid", "asked")]
    assert (asked.n, asked.by) == (4, {"matter": {"wages": 4}})


def test_a_count_says_whether_it_is_all(town: Town) -> None:
    town.station("st-1", "10:15")
    town.station("st-2", "09:30")
    town.events("st-1", "08:00", 5, "{}", "jobs.opened")
    with town.store.read() as conn:
        early = queries.count_events(conn, ms("08:00"), ms("09:00"), NOW, plugin="jobs")
        late = queries.count_events(conn, ms("08:00"), ms("10:00"), NOW, plugin="jobs", name="opened")
        one = queries.count_events(conn, ms("08:00"), ms("10:00"), NOW, station="st-1")
    assert (early.n, early.state) == (5, "complete")
    assert (late.n, late.state, late.complete, late.expected) == (5, "partial", 1, 2)
    assert one.state == "complete"


def test_more_stations_and_gaps_ask_no_more_questions(town: Town) -> None:
    asked: list[str] = []
    event.listen(town.store.engine, "before_cursor_execute", lambda *each: asked.append(each[2]))

    def questions() -> list[int]:
        counts = []
        for figures in (
            lambda conn: queries.overview(conn, town.manifests, DAY, NOW),
            lambda conn: queries.span(conn, town.manifests, DAY, 30, NOW),
            lambda conn: queries.completeness(conn, DAY, NOW),
            lambda conn: queries.count_events(conn, ms("00:00"), NOW, NOW),
        ):
            with town.store.read() as conn:
                asked.clear()
                figures(conn)
                counts.append(len(asked))
        return counts

    town.station("st-0", "10:15")
    few = questions()
    for number in range(1, 6):
        town.station(f"st-{number}", "10:15")
        with town.store.write() as conn:
            gaps.record(conn, f"st-{number}", ms("08:00"), ms("08:10"), "lost", 1, NOW)
    assert questions() == few


def test_a_watermark_never_goes_back(town: Town) -> None:
    town.station("st-1", "10:15")
    with town.store.write() as conn:
        watermarks.move(conn, [("st-1", ms("09:00"), NOW, "1.0.1", "{}")])
        assert watermarks.every(conn) == {"st-1": ms("10:15")}


def test_a_day_begins_at_local_midnight() -> None:
    start, end = queries.day_bounds(DAY)
    assert start == ms("00:00")
    assert end - start == 24 * HOUR
    start, end = queries.day_bounds(date(2026, 3, 29), "Europe/Berlin")
    assert end - start == 23 * HOUR
