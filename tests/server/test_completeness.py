"""The rules of completeness: nothing counts as complete that is not, whatever comes in whatever order."""

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.completeness import Known, known, merged, reached, so_far, state, whole

HOUR = 3_600_000
NOW = 40 * HOUR
RANK = {"absent": 0, "future": 0, "unknown": 1, "partial": 2, "complete": 3}


class Hole(NamedTuple):
    since: int
    until: int | None = None


MOMENTS = st.integers(0, 48).map(lambda quarter: quarter * HOUR // 4)
HOLES = st.builds(Hole, MOMENTS, st.none() | MOMENTS)
STATIONS = st.builds(
    lambda claimed, revoked, upto, holes: known(claimed, revoked, upto, holes),
    MOMENTS,
    st.none() | MOMENTS,
    st.none() | MOMENTS,
    st.lists(HOLES, max_size=3),
)
SPANS = st.tuples(MOMENTS, st.integers(1, 8)).map(lambda span: (span[0], span[0] + span[1] * HOUR // 2))


def of(upto: int, *gaps: Hole, since: int = 0, revoked: int | None = None, arrived: bool = False) -> str:
    """The state of the hour from 10 to 11 of a station like this."""
    station = known(since, revoked, upto, gaps)
    assert station is not None
    return state(station, 10 * HOUR, 11 * HOUR, NOW, arrived)


class TestOneHourOfOneStation:
    def test_is_complete_when_the_watermark_has_passed_its_end(self) -> None:
        assert of(11 * HOUR) == "complete"
        assert of(11 * HOUR - 1) == "partial"

    def test_is_unknown_when_the_watermark_has_not_passed_its_start(self) -> None:
        assert of(10 * HOUR + 1) == "partial"
        assert of(10 * HOUR) == "unknown"
        assert of(0) == "unknown"

    def test_is_partial_when_something_has_come_before_the_watermark(self) -> None:
        assert of(9 * HOUR, arrived=True) == "partial"

    @pytest.mark.parametrize(
        ("since", "until", "expected"),
        [
            (8 * HOUR, 10 * HOUR - 1, "complete"),
            (8 * HOUR, 10 * HOUR, "partial"),
            (11 * HOUR, 12 * HOUR, "complete"),
            (10 * HOUR, 10 * HOUR, "partial"),
            (11 * HOUR - 1, None, "partial"),
            (10 * HOUR + 1, 12 * HOUR, "partial"),
            (10 * HOUR, 11 * HOUR - 2, "partial"),
            (10 * HOUR, 11 * HOUR - 1, "unknown"),
            (9 * HOUR, None, "unknown"),
        ],
    )
    def test_is_not_complete_when_a_gap_touches_it(
        self, since: int, until: int | None, expected: str
    ) -> None:
        assert of(30 * HOUR, Hole(since, until)) == expected

    def test_is_partial_in_a_gap_when_something_has_come_all_the_same(self) -> None:
        assert of(30 * HOUR, Hole(9 * HOUR), arrived=True) == "partial"

    def test_is_unknown_when_gap_and_watermark_leave_nothing(self) -> None:
        assert of(10 * HOUR + 500, Hole(9 * HOUR, 10 * HOUR + 499)) == "unknown"
        assert of(10 * HOUR + 501, Hole(9 * HOUR, 10 * HOUR + 499)) == "partial"

    def test_is_not_expected_before_the_station_was_there_or_after_it_was_revoked(self) -> None:
        assert of(30 * HOUR, since=11 * HOUR) == "absent"
        assert of(30 * HOUR, revoked=10 * HOUR) == "absent"
        assert of(30 * HOUR, since=11 * HOUR - 1) == "complete"
        assert of(10 * HOUR + 30, revoked=10 * HOUR + 30) == "complete"
        assert of(10 * HOUR + 29, revoked=10 * HOUR + 30) == "partial"

    def test_what_is_missing_outside_its_time_there_touches_nothing(self) -> None:
        assert of(30 * HOUR, Hole(9 * HOUR, 10 * HOUR + 100), since=10 * HOUR + 101) == "complete"

    def test_that_has_not_begun_is_future(self) -> None:
        station = known(0, None, 0)
        assert station is not None
        assert state(station, 10 * HOUR, 11 * HOUR, 10 * HOUR - 1) == "future"


class TestAStation:
    def test_that_was_never_claimed_owes_nothing(self) -> None:
        assert known(None, None, None) is None

    def test_that_is_claimed_anew_owes_what_it_owed_before(self) -> None:
        again = known(20 * HOUR, None, 5 * HOUR, heard_first=2 * HOUR)
        assert again == Known(2 * HOUR, upto=5 * HOUR)

    def test_gaps_that_touch_are_one(self) -> None:
        assert merged([Hole(7, 9), Hole(1, 3), Hole(4, 5), Hole(2, 2)]) == ((1, 5), (7, 9))


class TestASum:
    def test_without_stations_is_unknown(self) -> None:
        assert whole([], 0, HOUR, NOW).state == "unknown"

    def test_before_the_first_station_misses_nothing(self) -> None:
        assert whole([Known(9 * HOUR)], 0, HOUR, NOW).state == "complete"

    def test_of_a_day_that_goes_on_is_never_complete(self) -> None:
        found = so_far([Known(0, upto=NOW), Known(0, upto=NOW - 1000)], NOW - HOUR, NOW + HOUR, NOW)
        assert (found.state, found.complete, found.expected, found.upto) == ("partial", 2, 2, NOW - 1000)

    def test_stands_where_those_who_are_not_behind_stand(self) -> None:
        every = [
            Known(0, upto=30 * HOUR),
            Known(0, upto=30 * HOUR - 60_000),
            Known(0, upto=2 * HOUR),
            Known(0),
        ]
        found = so_far(every, 24 * HOUR, 48 * HOUR, NOW)
        assert (found.complete, found.expected, found.upto) == (2, 4, 30 * HOUR - 60_000)

    def test_of_a_past_day_is_judged_by_its_end(self) -> None:
        every = [Known(0, upto=30 * HOUR), Known(0, upto=24 * HOUR - 1)]
        found = so_far(every, 0, 24 * HOUR, NOW)
        assert (found.state, found.complete, found.expected, found.upto) == ("partial", 1, 2, 24 * HOUR)

    def test_of_which_nobody_has_said_anything_is_unknown_or_less_than_it_will_be(self) -> None:
        every = [Known(0, upto=20 * HOUR), Known(0, upto=20 * HOUR)]
        assert so_far(every, 24 * HOUR, 48 * HOUR, NOW).state == "unknown"
        found = so_far(every, 24 * HOUR, 48 * HOUR, NOW, arrived=True)
        assert (found.state, found.complete, found.expected, found.upto) == ("partial", 0, 2, 20 * HOUR)


@given(st.lists(HOLES, max_size=3), HOLES, MOMENTS, SPANS, st.booleans())
def test_a_gap_more_makes_nothing_more_complete(
    gaps: list[Hole], more: Hole, upto: int, span: tuple[int, int], arrived: bool
) -> None:
    few, many = known(0, None, upto, gaps), known(0, None, upto, [*gaps, more])
    assert few is not None
    assert many is not None
    assert RANK[state(many, *span, NOW, arrived)] <= RANK[state(few, *span, NOW, arrived)]


@given(st.lists(HOLES, max_size=3), MOMENTS, MOMENTS, SPANS, st.booleans())
def test_a_later_watermark_makes_nothing_less_complete(
    gaps: list[Hole], early: int, late: int, span: tuple[int, int], arrived: bool
) -> None:
    early, late = sorted((early, late))
    less, more = known(0, None, early, gaps), known(0, None, late, gaps)
    assert less is not None
    assert more is not None
    assert RANK[state(less, *span, NOW, arrived)] <= RANK[state(more, *span, NOW, arrived)]


@given(STATIONS, SPANS)
def test_complete_means_every_moment_is_known(station: Known, span: tuple[int, int]) -> None:
    begin, finish = max(span[0], station.since), min(span[1], station.until)
    moments = range(begin, finish, HOUR // 8)
    good = [at < station.upto and not any(a <= at <= b for a, b in station.gaps) for at in moments]
    found = state(station, *span, NOW)
    if found == "complete":
        assert all(good)
    elif found == "unknown":
        assert not any(good)
    elif found == "partial":
        assert not all(good) or any(a < finish and b >= begin for a, b in station.gaps)
    else:
        assert begin >= finish


@given(st.lists(STATIONS, max_size=4), SPANS, st.integers(0, 50), st.booleans())
def test_a_sum_is_complete_only_when_all_that_is_expected_is(
    stations: list[Known], span: tuple[int, int], hours: int, arrived: bool
) -> None:
    now = hours * HOUR
    for total in (whole, so_far):
        found = total(stations, *span, now, arrived)
        assert 0 <= found.complete <= found.expected <= len(stations)
        if total is whole:
            states = [state(each, *span, now) for each in stations]
            assert found.complete == states.count("complete")
            assert found.expected == len(states) - states.count("absent")
        if found.state == "complete":
            assert found.upto == span[1]
            assert all(state(each, *span, now) in ("complete", "absent") for each in stations)
        if found.state == "unknown":
            assert not arrived
            assert found.complete == 0
    upto = reached(stations, *span, now)
    assert upto is None or upto <= min(span[1], now)


@given(st.lists(STATIONS, min_size=1, max_size=4), SPANS, HOLES)
def test_a_gap_more_makes_no_sum_more_complete(
    stations: list[Known], span: tuple[int, int], gap: Hole
) -> None:
    first, *others = stations
    holed = first._replace(gaps=merged([*(Hole(*each) for each in first.gaps), gap]))
    for total in (whole, so_far):
        before, after = total(stations, *span, NOW), total([holed, *others], *span, NOW)
        assert after.complete <= before.complete
        assert after.expected == before.expected
        assert RANK[after.state] <= RANK[before.state]
