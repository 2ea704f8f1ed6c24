"""The radio with a clock that the test moves: what the player is asked, what is reported and remembered."""

from pathlib import Path

import pytest

from kiosk.media.client import Ended
from kiosk.testing import FakeStation, FrozenClock

FILES = {"a" * 64: Path("/media/a.ogg"), "b" * 64: Path("/media/b.ogg"), "c" * 64: Path("/media/c.webm")}


def row(item_id, position, media, seconds=60, start="10:00", end="12:00", **more):
    return {
        "item_id": item_id,
        "start": start,
        "end": end,
        "weekdays": "1234567",
        "position": position,
        "title": f"节目 {item_id}",
        "kind": "story",
        "seconds": seconds,
        "media": media * 64,
        "has_picture": media == "c",
        **more,
    }


PROGRAMME = [
    row("A", 1, "a", 60),
    row("B", 2, "b", 30),
    row("C", 3, "c", 30),
    row("N", 1, "a", 60, start="14:00", end="16:00"),
]


def on_the_air(clock="2026-11-21 09:59:58", data=None, files=FILES, rows=PROGRAMME, **more):
    station = FakeStation("broadcast", clock=FrozenClock(clock), data=data, **more)
    for sha256, path in files.items():
        station.put_media(sha256, path)
    station.fill("programme", rows)
    return station


@pytest.fixture
def station():
    with on_the_air() as station:
        yield station


def seconds(station, count):
    for _ in range(count):
        station.advance(1)


def asked(station, what="play"):
    return [argument for verb, argument in station.fake_player.asked if verb == what]


def played(station):
    return [(each.d["item"], each.d["complete"], each.d["after"]) for each in station.events("played")]


def rows_on_disk(station):
    sql = "SELECT item_id, complete, closed, heard_ms FROM broadcast_played ORDER BY at"
    return station.database.read(lambda db: db.execute(sql).fetchall()).wait().value


def test_nothing_plays_before_the_slot(station):
    seconds(station, 1)
    assert asked(station) == []
    assert station.store.on is None


def test_the_first_item_begins_with_its_slot(station):
    seconds(station, 2)
    assert asked(station) == [FILES["a" * 64]]
    assert station.fake_player.state.position == 0
    assert station.store.on.item.item_id == "A"


def test_each_item_is_reported_once_when_it_is_over(station):
    seconds(station, 2 + 121)
    assert played(station) == [("A", True, 60_000), ("B", True, 30_000), ("C", True, 30_000)]
    assert asked(station) == [FILES[each * 64] for each in "abca"]


def test_what_was_on_is_remembered(station):
    seconds(station, 2 + 95)
    assert rows_on_disk(station) == [("A", 1, 1, 60_000), ("B", 1, 1, 30_000), ("C", 0, 0, 0)]
    assert dict(station.store.log.times) == {"A": 1, "B": 1}


def test_a_file_shorter_than_the_programme_says_is_complete_and_the_next_waits_for_its_time(station):
    seconds(station, 52)
    station.fake_player.end(Ended(FILES["a" * 64], 49.5))
    seconds(station, 3)
    assert played(station) == [("A", True, 50_000)]
    assert len(asked(station)) == 1
    seconds(station, 7)
    assert len(asked(station)) == 2


def test_after_the_slot_the_player_is_stopped():
    with on_the_air("2026-11-21 11:59:40", rows=[row("A", 1, "a", 60)]) as station:
        seconds(station, 5)
        assert station.store.on.item.item_id == "A"
        seconds(station, 16)
        assert asked(station, "stop")
        assert station.store.on is None


def test_an_item_is_not_joined_for_its_last_second():
    with on_the_air("2026-11-21 11:59:58", rows=[row("A", 1, "a", 60)]) as station:
        seconds(station, 1)
        assert asked(station) == []


def test_a_station_that_starts_in_the_middle_joins_where_the_others_are():
    with on_the_air("2026-11-21 10:00:19") as station:
        seconds(station, 1)
        assert station.fake_player.state.position == 20
        seconds(station, 41)
        assert played(station) == [("A", False, 40_000)]


def test_a_restart_goes_on_with_the_same_item_and_reports_it_once(tmp_path):
    with on_the_air(data=tmp_path) as first:
        seconds(first, 2 + 30)
        assert first.store.on.item.item_id == "A"
        assert played(first) == []
    with on_the_air("2026-11-21 10:00:31", data=tmp_path) as second:
        seconds(second, 1)
        assert second.fake_player.state.position == 32
        seconds(second, 30)
        assert played(second) == [("A", True, 58_000)]


def test_what_a_power_cut_ended_is_reported_by_the_next_run_as_far_as_it_is_known(tmp_path):
    with on_the_air(data=tmp_path) as first:
        seconds(first, 2 + 40)
        first.store._playing = None  # no teardown: the power goes
    with on_the_air("2026-11-21 13:00:00", data=tmp_path) as second:
        seconds(second, 2)
        assert played(second) == [("A", False, 30_000)]
        seconds(second, 2)
        assert len(played(second)) == 1


def test_an_item_over_before_the_restart_is_not_played_twice(tmp_path):
    with on_the_air(data=tmp_path) as first:
        seconds(first, 42)
        first.fake_player.end(Ended(FILES["a" * 64], 39.0))
    with on_the_air("2026-11-21 10:00:45", data=tmp_path) as second:
        seconds(second, 3)
        assert asked(second) == []
        assert len(played(second)) == 1


def test_a_file_that_is_not_here_is_passed_over_and_joins_when_it_has_come():
    with on_the_air(files={"b" * 64: FILES["b" * 64]}) as station:
        seconds(station, 3)
        assert station.store.on.item.item_id == "B"
        for sha256, path in FILES.items():
            station.put_media(sha256, path)
        seconds(station, 40)
        assert asked(station)[0] == FILES["b" * 64]
        assert set(asked(station)) > {FILES["b" * 64]}


def test_a_file_that_cannot_be_played_is_reported_once_and_left_out(station):
    seconds(station, 2)
    station.fake_player.end(Ended(FILES["a" * 64], 0.0, "unplayable"))
    seconds(station, 200)
    skipped = [(each.d["item"], each.d["why"]) for each in station.events("skipped")]
    assert skipped == [("A", "unplayable")]
    assert FILES["a" * 64] not in asked(station)[1:]
    assert "A" not in {item for item, *_ in played(station)}


def test_without_a_player_the_tile_says_so_and_it_is_reported_once(station):
    seconds(station, 2)
    station.fake_player.end(Ended(FILES["a" * 64], 0.0, "no_player"))
    seconds(station, 100)
    assert [each.d["why"] for each in station.events("skipped")] == ["no_player"]
    assert station.hook("tile").live == "这台机器现在放不出声音"


def test_an_item_taken_out_of_the_programme_stops_at_once(station):
    seconds(station, 12)
    station.fill("programme", PROGRAMME[1:])
    seconds(station, 1)
    assert played(station) == [("A", False, 11_000)]
    assert station.store.on.item.item_id != "A"


def test_another_item_that_comes_in_does_not_cut_the_one_that_plays(station):
    seconds(station, 12)
    station.fill("programme", [row("Z", 0, "b", 30), *PROGRAMME])
    seconds(station, 20)
    assert station.store.on.item.item_id == "A"
    assert len(asked(station)) == 1


def test_quiet_hours_that_are_set_now_stop_the_player(station):
    seconds(station, 12)
    station.set("quiet_from", "09:00")
    station.set("quiet_until", "13:00")
    seconds(station, 1)
    assert station.store.on is None
    assert asked(station, "stop")


def test_the_volume_is_the_setting_until_somebody_turns_it(station):
    seconds(station, 2)
    assert asked(station, "volume") == [60]
    assert station.store.turn(+1) == 70
    assert asked(station, "volume") == [60, 70]


def test_the_volume_stays_within_what_the_station_allows(station):
    assert [station.store.turn(+1) for _ in range(5)] == [70, 80, 90, 90, 90]
    assert [station.store.turn(-1) for _ in range(11)][-1] == 0


def test_what_was_turned_holds_until_the_slot_ends():
    rows = [row("A", 1, "a", 60, end="10:02"), row("N", 1, "b", 60, start="10:02", end="10:04")]
    with on_the_air(rows=rows) as station:
        seconds(station, 2)
        station.store.turn(-3)
        seconds(station, 61)
        assert asked(station, "volume")[-1] == 30
        seconds(station, 60)
        assert asked(station, "volume")[-1] == 60


def test_a_new_day_counts_from_nothing(station):
    seconds(station, 65)
    assert station.store.log.times
    station.clock.set("2026-11-22 09:00")
    seconds(station, 2)
    assert not station.store.log.times


def test_a_clock_that_jumps_back_joins_what_is_due_then():
    with on_the_air("2026-11-21 11:01:10") as station:
        seconds(station, 2)
        assert station.store.on.item.item_id == "B"
        station.clock.set("2026-11-21 10:00:20")
        seconds(station, 2)
        assert station.store.on.item.item_id == "A"
        assert station.fake_player.state.position == pytest.approx(21, abs=1)


# the words


def test_the_tile_says_what_is_on(station):
    seconds(station, 3)
    assert station.hook("tile").live == "现在播《节目 A》"


def test_the_tile_says_when_the_next_slot_is(station):
    assert station.hook("tile").live == "下一档 10:00"
    station.clock.set("2026-11-21 17:00")
    seconds(station, 1)
    assert station.hook("tile").live == "下一档 明天 10:00"


def test_the_tile_says_that_there_is_no_programme():
    with on_the_air(rows=[]) as station:
        assert station.hook("tile").live == "今天还没有节目单"
        assert station.hook("stage") is None


def test_the_stage_shows_the_item_what_follows_and_how_far_it_is(station):
    seconds(station, 2 + 15)
    stage = station.hook("stage")
    assert stage.badge == "正在广播"
    assert stage.title == "节目 A"
    assert stage.line == "接着播 10:01 节目 B · 10:01 节目 C"
    assert stage.progress == pytest.approx(0.25)
    assert not stage.video


def test_the_stage_asks_for_the_picture_of_an_item_that_has_one(station):
    seconds(station, 2 + 95)
    assert station.hook("stage").video


def test_between_slots_the_stage_names_the_next_one(station):
    station.clock.set("2026-11-21 13:00")
    seconds(station, 1)
    stage = station.hook("stage")
    assert (stage.badge, stage.title, stage.line) == ("工友广播", "下一档 14:00 开始", "节目 N")


def test_english_has_all_its_words():
    with on_the_air(language="en") as station:
        assert station.hook("tile").live == "Next slot 10:00"
        seconds(station, 2)
        assert station.hook("stage").badge == "On air"
