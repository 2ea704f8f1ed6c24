"""Is a number all there is? Pure rules, by station and span of time; all times are ms since 1970 UTC.

A station owes everything from when it was first set up until it was revoked. Its watermark says up to when
all of that has arrived; its gaps say what never will, or what nobody can tell. What has not arrived is
unknown, and never zero.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, Literal, NamedTuple, Protocol

import msgspec

State = Literal["complete", "partial", "unknown", "future"]
#: Of one station; `absent`: nothing is expected, as it was not set up yet, or is revoked.
StationState = Literal["complete", "partial", "unknown", "future", "absent"]

#: Heartbeats come every five minutes: a station this far behind the most recent one is not just between two.
SLACK_MS: Final = 15 * 60 * 1000
#: An end that is not known.
OPEN: Final = 2**62


class Missing(Protocol):
    """A gap: what happened from `since` to `until` (included; None: still open) may never arrive."""

    @property
    def since(self) -> int: ...

    @property
    def until(self) -> int | None: ...


class Known(NamedTuple):
    """What is known of one station, which is expected from `since` to `until` (`OPEN` if not revoked).

    Up to `upto` everything has arrived, but for the `gaps`: (first, last) ms, in order and apart.
    """

    since: int
    until: int = OPEN
    upto: int = 0
    gaps: tuple[tuple[int, int], ...] = ()


class Completeness(msgspec.Struct, frozen=True):
    """How much of a number is there: `complete` of `expected` stations have reported everything up to `upto`.

    `state` is complete only when all have, up to the end of the number's span. `upto` is None when nothing is
    known, and in the future.
    """

    state: State
    complete: int
    expected: int
    upto: int | None


def known(
    claimed_at: int | None,
    revoked_at: int | None,
    complete_to: int | None,
    gaps: Iterable[Missing] = (),
    heard_first: int | None = None,
) -> Known | None:
    """A station as the rules see it; None if it was never claimed, and so owes nothing.

    `heard_first`: when its first stream began. It is before `claimed_at` if the station was claimed anew,
    which must not make what it owed before vanish.
    """
    if claimed_at is None:
        return None
    since = min(claimed_at, heard_first or claimed_at)
    return Known(since, OPEN if revoked_at is None else revoked_at, complete_to or 0, merged(gaps))


def merged(gaps: Iterable[Missing]) -> tuple[tuple[int, int], ...]:
    """Gaps as (first, last) ms, in order, those that touch made one."""
    found: list[tuple[int, int]] = []
    spans = ((gap.since, OPEN if gap.until is None else max(gap.since, gap.until)) for gap in gaps)
    for since, until in sorted(spans):
        if found and since <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return tuple(found)


def state(station: Known, start: int, end: int, now: int, arrived: bool = False) -> StationState:
    """What is known of one station from `start` to `end`; `arrived`: that anything of that time has come."""
    begin, finish = max(start, station.since), min(end, station.until)
    if begin >= finish:
        return "absent"
    if start > now:
        return "future"
    touched = bool(station.gaps) and any(first < finish and last >= begin for first, last in station.gaps)
    if station.upto >= finish and not touched:
        return "complete"
    return "partial" if arrived or _covers(station, begin, finish) else "unknown"


def whole(stations: Iterable[Known], start: int, end: int, now: int, arrived: bool = False) -> Completeness:
    """How much of the sum from `start` to `end` is there; `arrived`: that the sum is more than zero.

    Before the first station was there, nothing is missing; without any station, nothing is known.
    """
    complete = expected = any_station = 0
    some = arrived
    for station in stations:
        any_station = 1
        since, until, upto, gaps = station
        if since >= end or until <= start or since >= until:
            continue
        expected += 1
        if start > now:
            continue
        if upto >= end and not gaps:
            complete += 1  # as `state` says; nearly all stations of nearly all hours, on every page
            continue
        found = state(station, start, end, now)
        complete += found == "complete"
        some = some or found == "partial"
    some = some or complete > 0
    if start > now:
        return Completeness("future", 0, expected, None)
    if complete == expected and any_station:
        return Completeness("complete", complete, expected, end)
    return Completeness("partial" if some else "unknown", complete, expected, end if some else None)


def so_far(stations: Sequence[Known], start: int, end: int, now: int, arrived: bool = False) -> Completeness:
    """As `whole`, but what nobody can have reported yet counts for nobody's loss.

    Stations are judged by the time up to which those that are not behind have reported. Only when that is the
    end of the span can the sum be complete.
    """
    upto = reached(stations, start, end, now)
    if start > now or upto is None or upto >= end:
        return whole(stations, start, end, now, arrived)
    if upto <= start:
        expected = sum(state(each, start, min(end, now + 1), now) != "absent" for each in stations)
        return Completeness("partial" if arrived else "unknown", 0, expected, upto)
    found = whole(stations, start, upto, now, arrived)
    return msgspec.structs.replace(
        found, state="partial" if found.state == "complete" else found.state, upto=upto
    )


def reached(stations: Iterable[Known], start: int, end: int, now: int) -> int | None:
    """Up to when the stations that are not behind have reported everything, `end` at most; None: never."""
    limit = min(end, now)
    marks = [
        min(each.upto, limit) for each in stations if each.upto and each.since < limit and each.until > start
    ]
    newest = max(marks, default=0)
    if not newest:
        return None
    # At a span's end all was due; before it, stations are between two heartbeats.
    slack = 0 if newest >= end else SLACK_MS
    return min(mark for mark in marks if mark >= newest - slack)


def _covers(station: Known, begin: int, finish: int) -> bool:
    """Whether any moment from `begin` to `finish` is known: reported, and in no gap."""
    finish = min(finish, station.upto)
    if begin >= finish:
        return False
    edges = [
        (begin, begin - 1),
        *((first, last) for first, last in station.gaps if last >= begin),
        (finish, OPEN),
    ]
    return any(before[1] + 1 < min(after[0], finish) for before, after in pairwise(edges))
