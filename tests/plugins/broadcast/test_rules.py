"""The timetable: slots, order, what fits, what is left out, and what it says about any moment."""

from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.broadcast import rules

ZONE = ZoneInfo("Asia/Shanghai")
SATURDAY = date(2026, 11, 21)


def row(item_id="A", start="10:00", end="12:00", position=1, seconds=600, **more):
    return {
        "item_id": item_id,
        "start": start,
        "end": end,
        "weekdays": "1234567",
        "position": position,
        "title": f"节目 {item_id}",
        "kind": "story",
        "seconds": seconds,
        "media": "ab" * 32,
        "has_picture": False,
        **more,
    }


def at(clock):
    return datetime.combine(SATURDAY, datetime.strptime(clock, "%H:%M:%S").time(), ZONE)  # noqa: DTZ007


def plan(*rows, day=SATURDAY, **more):
    return rules.timetable(rules.read(rows)[0], day, ZONE, **more)


def why(*rows):
    return {each.item_id: each.why for each in rules.read(rows)[1]}


# what is on


def test_the_items_of_a_slot_repeat_in_order_until_it_ends():
    day = plan(row("A", seconds=1500), row("B", seconds=900, position=2))
    assert [(airing.item.item_id, f"{airing.starts:%H:%M}") for airing in day.airings] == [
        ("A", "10:00"),
        ("B", "10:25"),
        ("A", "10:40"),
        ("B", "11:05"),
        ("A", "11:20"),
        ("B", "11:45"),
    ]


def test_a_moment_has_an_item_and_an_offset_into_it():
    day = plan(row("A", seconds=600), row("B", seconds=300, position=2))
    airing = day.at(at("10:12:30"))
    assert airing is not None
    assert airing.item.item_id == "B"
    assert airing.offset(at("10:12:30")) == 150
    assert airing.ends == at("10:15:00")


def test_nothing_is_on_between_slots():
    day = plan(row("A"), row("B", start="14:00", end="16:00"))
    assert day.at(at("09:59:59")) is None
    assert day.at(at("12:00:00")) is None
    assert day.at(at("13:00:00")) is None
    assert day.at(at("14:00:00")) is not None


def test_an_item_that_would_be_cut_by_the_end_of_the_slot_does_not_begin():
    day = plan(row("long", end="10:10", seconds=400), row("short", end="10:10", seconds=90, position=2))
    assert [airing.item.item_id for airing in day.airings] == ["long", "short", "short"]
    assert day.airings[-1].ends <= at("10:10:00")


def test_of_two_overlapping_slots_the_first_keeps_its_time_and_the_other_gets_the_rest():
    day = plan(row("A"), row("B", start="11:00", end="13:00"))
    assert day.at(at("11:30:00")).item.item_id == "A"
    assert day.at(at("12:30:00")).item.item_id == "B"
    assert day.slot_at(at("11:30:00")).items[0].item_id == "A"
    assert day.slot_at(at("12:30:00")).items[0].item_id == "B"


def test_an_item_that_finds_no_room_beside_an_earlier_slot_is_named_with_the_reason():
    day = plan(row("A"), row("B", start="10:30", end="11:30"))
    assert [(each.item_id, each.why) for each in day.slots[1].skipped] == [("B", "no_room")]


def test_weekdays_choose_the_days():
    item = row(weekdays="67")
    assert plan(item).airings
    assert not plan(item, day=SATURDAY + timedelta(days=2)).airings


def test_a_row_without_weekdays_is_daily():
    assert all(plan(row(weekdays=""), day=SATURDAY + timedelta(days=each)).airings for each in range(7))


def test_quiet_hours_stop_what_would_reach_into_them():
    day = plan(row("A", start="21:00", end="23:00", seconds=1500), quiet=rules.quiet_spans("22:00", "06:00"))
    assert [f"{airing.ends:%H:%M}" for airing in day.airings] == ["21:25", "21:50"]


def test_a_slot_inside_quiet_hours_says_so():
    day = plan(row("A", start="22:30", end="23:00"), quiet=rules.quiet_spans("22:00", "06:00"))
    assert not day.airings
    assert day.slots[0].skipped[0].why == "quiet"


def test_the_same_time_twice_means_no_quiet_hours():
    assert rules.quiet_spans("00:00", "00:00") == ()


def test_an_item_whose_file_is_not_here_is_left_out_with_the_reason():
    missing = rules.read([row("A"), row("B", position=2)])[0]
    day = rules.timetable(missing, SATURDAY, ZONE, lambda item: "media" if item.item_id == "A" else None)
    assert {airing.item.item_id for airing in day.airings} == {"B"}
    assert [(each.item_id, each.why) for each in day.slots[0].skipped] == [("A", "media")]


def test_a_slot_with_nothing_to_play_leaves_its_time_to_the_one_it_overlaps():
    items = rules.read([row("A"), row("B", start="11:00", end="13:00")])[0]
    day = rules.timetable(items, SATURDAY, ZONE, lambda item: "media" if item.item_id == "A" else None)
    assert day.at(at("11:30:00")).item.item_id == "B"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seconds": None}, "length"),
        ({"seconds": 0}, "length"),
        ({"seconds": 8000}, "too_long"),
        ({"start": "12:00", "end": "10:00"}, "slot"),
        ({"end": "soon"}, "slot"),
        ({"end": "25:00"}, "slot"),
        ({"weekdays": "1,8"}, "weekdays"),
        ({"item_id": "王 1"}, "id"),
    ],
)
def test_a_row_that_makes_no_sense_is_left_out_with_the_reason(change, reason):
    bad = row("X") | change
    assert why(row("A"), bad) == {bad["item_id"]: reason}


# what comes


def test_what_comes_next_is_in_order():
    day = plan(row("A", seconds=600), row("B", seconds=300, position=2))
    assert [airing.item.item_id for airing in day.after(at("10:00:00"), 3)] == ["B", "A", "B"]


def test_the_next_slot_is_today_if_one_is_left():
    items = rules.read([row("A"), row("B", start="14:00", end="16:00")])[0]
    assert rules.next_slot(items, at("10:30:00")).starts == at("14:00:00")


def test_after_the_last_slot_the_next_one_is_on_the_next_day_that_has_one():
    items = rules.read([row("A", weekdays="1")])[0]
    assert rules.next_slot(items, at("12:30:00")).starts == at("10:00:00") + timedelta(days=2)


def test_an_empty_programme_has_no_next_slot():
    assert rules.next_slot((), at("12:30:00")) is None


# properties

clock_times = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02d}:{quarter % 4 * 15:02d}")
rows_of_any_kind = st.lists(
    st.builds(
        row,
        item_id=st.sampled_from([f"I{n}" for n in range(9)]),
        start=clock_times,
        end=clock_times,
        position=st.integers(0, 4),
        seconds=st.one_of(st.integers(-5, 9000), st.none()),
        weekdays=st.sampled_from(["", "1234567", "6", "12345", "67", "9"]),
    ),
    max_size=9,
    unique_by=lambda each: each["item_id"],
)
quiets = st.tuples(clock_times, clock_times).map(lambda both: rules.quiet_spans(*both))


@given(rows_of_any_kind, quiets)
def test_airings_never_overlap_never_leave_their_slot_and_never_reach_into_quiet_hours(rows, quiet):
    day = plan(*rows, quiet=quiet)
    midnight = at("00:00:00")
    for airing in day.airings:
        start = (airing.starts - midnight).total_seconds()
        end = (airing.ends - midnight).total_seconds()
        assert airing.item.start <= start < end <= airing.item.end
        assert end - start == airing.item.seconds
        assert all(end <= first or start >= last for first, last in quiet)
    assert all(one.ends <= two.starts for one, two in pairwise(day.airings))


@given(rows_of_any_kind, st.integers(0, 86_399))
def test_every_moment_has_one_consistent_answer(rows, second):
    day = plan(*rows)
    now = at("00:00:00") + timedelta(seconds=second)
    airing = day.at(now)
    following = day.after(now, 1)
    if airing is not None:
        assert airing.starts <= now < airing.ends
        assert 0 <= airing.offset(now) < airing.item.seconds
        # The next one begins when this one ends, or nothing is on in between.
        if following:
            assert following[0].starts >= airing.ends
            assert day.at(airing.ends) in (None, following[0])
    if following:
        assert following[0].starts > now
        assert day.at(following[0].starts) == following[0]


@given(rows_of_any_kind, st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)
    assert plan(*rows) == plan(*shuffled)
    assert rules.read(rows) == rules.read(shuffled)


@given(rows_of_any_kind)
def test_within_a_slot_an_item_comes_again_only_after_all_others_had_their_turn_or_do_not_fit(rows):
    day = plan(*rows)
    for slot in day.slots:
        airings = [each for each in day.airings if each.item in slot.items]
        for one, two in pairwise(airings):
            between = _between(slot.items, one.item, two.item)
            end = min(slot.ends, max(each.ends for each in airings))
            assert all(one.ends + timedelta(seconds=item.seconds) > end for item in between)


def _between(items, one, two):
    """The items that were passed over from one to two, in turn order."""
    first, second = items.index(one), items.index(two)
    count = (second - first - 1) % len(items)
    return [items[(first + 1 + step) % len(items)] for step in range(count)]


@given(rows_of_any_kind, quiets)
def test_each_item_of_the_day_is_played_or_named_with_a_reason(rows, quiet):
    day = plan(*rows, quiet=quiet)
    heard = {airing.item.item_id for airing in day.airings}
    for slot in day.slots:
        left_out = {each.item_id for each in slot.skipped}
        assert {item.item_id for item in slot.items} <= heard | left_out
        assert not heard & left_out
