"""One station's day: its hours, what is missing and why, what was turned away, who speaks with its name."""

from collections.abc import Mapping
from datetime import date

from sqlalchemy import Connection, Row, func, literal_column, select

from protocol.manifest import Manifest
from server.completeness import Known, so_far, state
from server.figures import (
    Clocks,
    DayStates,
    GapLine,
    RunLine,
    StationDay,
    StationHour,
    StationStates,
    StreamLine,
)
from server.queries import days
from server.queries.days import Stretch
from server.queries.knowledge import Knowledge, look
from server.queries.overview import station_lines
from server.queries.sums import visits_event
from server.queries.troubles import faults, refusals
from server.store.schema import message, part, rollup, stream
from server.times import ZONE

#: One letter for each state, in the answers about many stations.
LETTERS = {"complete": "c", "partial": "p", "unknown": "u", "future": "f", "absent": "-"}


def station_day(
    conn: Connection,
    manifests: Mapping[str, Manifest],
    station: str,
    day: date,
    now: int,
    zone: str = ZONE,
) -> StationDay | None:
    """Everything that is known of one station on a local day; None if there is no such station."""
    bars = days.hours(day, zone)
    start, end = bars[0].start, bars[-1].end
    here = look(conn, start, end, station)
    if not here.stations:
        return None
    (profile,) = here.stations
    n, visits = _hourly(conn, station, visits_event(manifests), start, end)
    sums = so_far(here.all, start, end, now, arrived=bool(n))
    (line,) = station_lines(conn, here, sums, {station: sum(visits.values())}, start, end, now)
    return StationDay(
        day=day.isoformat(),
        zone=zone,
        now=now,
        station=line,
        hours_open=profile.hours,
        claimed_at=profile.claimed_at,
        revoked_at=profile.revoked_at,
        sums=sums,
        hours=[_hour(bar, here.known.get(station), n, visits, now) for bar in bars],
        gaps=gap_lines(here, station),
        refusals=refusals(conn, station),
        faults=faults(conn, start, end, station),
        streams=_streams(conn, station),
        clocks=_clocks(conn, station, start, end),
    )


def completeness(conn: Connection, day: date, now: int, zone: str = ZONE) -> DayStates:
    """The state of each hour of a local day at every station that may speak."""
    bars = days.hours(day, zone)
    start, end = bars[0].start, bars[-1].end
    here = look(conn, start, end)
    found = select(rollup.c.hour, rollup.c.station).where(rollup.c.hour >= start, rollup.c.hour < end)
    arrived = {(hour, name) for hour, name in conn.execute(found.distinct())}
    lines = []
    for each in here.active:
        owed = here.known[each.id]
        states = (state(owed, bar.start, bar.end, now, (bar.start, each.id) in arrived) for bar in bars)
        lines.append(StationStates(each.id, "".join(map(LETTERS.__getitem__, states))))
    return DayStates(day.isoformat(), zone, now, [bar.start for bar in bars], lines)


def gap_lines(here: Knowledge, station: str) -> list[GapLine]:
    """The gaps of one station, the most recent first."""
    found = sorted(here.gaps.get(station, ()), key=lambda gap: gap.since, reverse=True)
    return [GapLine(gap.since, gap.until, gap.why, gap.n, gap.at) for gap in found]


def _hour(
    bar: Stretch, owed: Known | None, n: Mapping[int, int], visits: Mapping[int, int], now: int
) -> StationHour:
    times = n.get(bar.start, 0)
    found = state(owed, bar.start, bar.end, now, times > 0) if owed else "absent"
    return StationHour(bar.start, bar.label, found, times, visits.get(bar.start, 0))


def _hourly(
    conn: Connection, station: str, visit: tuple[str, str], start: int, end: int
) -> tuple[dict[int, int], dict[int, int]]:
    """Events of each hour in which there were any, and the visits among them."""
    columns = (rollup.c.hour, rollup.c.plugin, rollup.c.event)
    here = (rollup.c.hour >= start, rollup.c.hour < end, rollup.c.station == station)
    every: dict[int, int] = {}
    visits: dict[int, int] = {}
    for hour, plugin, event, n in conn.execute(
        select(*columns, func.sum(rollup.c.n)).where(*here).group_by(*columns)
    ):
        every[hour] = every.get(hour, 0) + int(n)
        if (plugin, event) == visit:
            visits[hour] = int(n)
    return every, visits


def _streams(conn: Connection, station: str) -> list[StreamLine]:
    """The station's streams, the most recent first, with the runs of its program that wrote them."""
    mine = select(stream).where(stream.c.station == station).order_by(stream.c.id.desc())
    found = conn.execute(mine).all()
    runs: dict[int, list[RunLine]] = {}
    written = select(part).where(part.c.stream.in_([row.id for row in found])).order_by(part.c.first.desc())
    for row in conn.execute(written):
        runs.setdefault(row.stream, []).append(_run(row))
    return [StreamLine(row.name, row.upto, row.first_at, row.heard_at, runs.get(row.id, [])) for row in found]


def _run(row: Row[tuple[object, ...]]) -> RunLine:
    return RunLine(row.run, row.first, row.boot, row.at)


def _clocks(conn: Connection, station: str, start: int, end: int) -> Clocks:
    """How many of the messages that arrived from `start` to `end` (ms) had a wrong time."""
    mine = select(stream.c.id).where(stream.c.station == station)
    found = (
        select(message.c.clock, func.count())
        .where(
            message.c.stream.in_(mine),
            message.c.received_at >= start,
            message.c.received_at < end,
            message.c.clock != literal_column("'ok'"),  # as the index says it: a parameter would not find it
        )
        .group_by(message.c.clock)
    )
    n = {clock: int(times) for clock, times in conn.execute(found)}
    return Clocks(*(n.get(clock, 0) for clock in Clocks.__struct_fields__))
