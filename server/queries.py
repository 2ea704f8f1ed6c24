"""What headquarters shows, read from rollups, watermarks and bookings. Pure reads; unknown stays unknown.

A number is complete for an hour when every station that was there then has said, by a heartbeat in its
stream, that all before the hour's end has arrived. Rollups are by UTC hour, so days of zones that are off
by part of an hour are cut at the nearest full one.
"""

import json
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from protocol.manifest import Manifest
from server.figures import (
    BookingLine,
    Bookings,
    Count,
    FaultLine,
    Hour,
    Metric,
    Overview,
    Service,
    State,
    StationLine,
)
from server.store import stations as station_store
from server.store.schema import booking, fault, refusal, request, rollup, watermark
from server.times import ZONE as ZONE

HOUR_MS: Final = 3600 * 1000
LOST_MS: Final = 15 * 60 * 1000

#: The metrics of the first card: plugin and metric name, and the field that splits the chart.
VISITS: Final = ("check_in", "visits")
SPLIT: Final = "trade"
PEOPLE_FLAG: Final = "first_today"


def day_bounds(day: date, zone: str = ZONE) -> tuple[int, int]:
    """First and one-past-last ms of a local day."""
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    after = day + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(zone))
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)


def overview(
    conn: Connection, manifests: Mapping[str, Manifest], day: date, now: int, zone: str = ZONE
) -> Overview:
    """Everything that the first page shows of one local day, as known at `now` (ms)."""
    start, end = day_bounds(day, zone)
    visits_event = _event_of(manifests, *VISITS)
    rows = _rollups(conn, rollup.c.hour >= start, rollup.c.hour < end)
    visit_rows = [row for row in rows if (row.plugin, row.event) == visits_event]
    known = station_store.every(conn)
    marks = _watermarks(conn)
    active = [each for each in known if each.active]
    lost = {each.id for each in active if not _fresh(each, marks, now)}
    complete_to, share = _complete_to(active, marks, lost, min(end, now))
    hours = [
        _hour(at, visit_rows, active, marks, now, zone) for at in range(start - start % HOUR_MS, end, HOUR_MS)
    ]
    week_ago = day_bounds(day - timedelta(days=7), zone)
    return Overview(
        day=day.isoformat(),
        zone=zone,
        now=now,
        visits=sum(row.n for row in visit_rows),
        visits_before=_sum(conn, visits_event, *week_ago),
        people=sum(row.n for row in visit_rows if row.dims.get(PEOPLE_FLAG) is True),
        hours=hours,
        splits=_splits(manifests),
        services=_services(manifests, rows),
        metrics=_metrics(manifests, rows),
        stations_total=len(active),
        stations_online=sum(each.online and each.id not in lost for each in active),
        stations_lost=len(lost),
        complete_to=complete_to,
        complete_share=share,
        bookings=_bookings(conn, start, end),
        stations=_stations(conn, known, marks, lost, by_station(conn, visits_event, start, end), start, end),
        faults=faults(conn, start, end),
    )


def count_events(
    conn: Connection,
    start: int,
    end: int,
    now: int,
    *,
    station: str | None = None,
    plugin: str | None = None,
    name: str | None = None,
) -> Count:
    """How many valid events there are in the hours from `start` to `end` (ms), and whether that is all."""
    where = [rollup.c.hour >= start, rollup.c.hour < end]
    where += [
        column == value
        for column, value in ((rollup.c.station, station), (rollup.c.plugin, plugin), (rollup.c.event, name))
        if value is not None
    ]
    n = conn.scalar(select(func.coalesce(func.sum(rollup.c.n), 0)).where(*where))
    active = [each for each in station_store.every(conn) if each.active and station in (None, each.id)]
    complete, expected = _completeness(active, _watermarks(conn), end)
    return Count(int(n or 0), _state(start, complete, expected, len(active), now), complete, expected)


def by_station(conn: Connection, event: tuple[str, str], start: int, end: int) -> dict[str, int]:
    """How often each station reported this event (plugin, name) in the hours from `start` to `end` (ms)."""
    found = (
        select(rollup.c.station, func.sum(rollup.c.n))
        .where(
            rollup.c.hour >= start,
            rollup.c.hour < end,
            rollup.c.plugin == event[0],
            rollup.c.event == event[1],
        )
        .group_by(rollup.c.station)
    )
    return {station: int(n) for station, n in conn.execute(found)}


def faults(conn: Connection, start: int, end: int) -> list[FaultLine]:
    """Plugin failures from `start` to `end` (ms), the most recent first."""
    columns = (fault.c.station, fault.c.plugin, fault.c.version, fault.c.place, fault.c.kind)
    last = func.max(fault.c.at)
    found = (
        select(*columns, func.count(), last)
        .where(fault.c.at >= start, fault.c.at < end)
        .group_by(*columns)
        .order_by(last.desc())
    )
    return [FaultLine(*row) for row in conn.execute(found)]


def bookings(conn: Connection, start: int | None = None, end: int | None = None) -> list[BookingLine]:
    """Bookings by the time of their slot, those of [start, end) ms if given."""
    found = select(booking).order_by(booking.c.starts_at, booking.c.id)
    if start is not None:
        found = found.where(booking.c.starts_at >= start)
    if end is not None:
        found = found.where(booking.c.starts_at < end)
    names = BookingLine.__struct_fields__
    return [
        BookingLine(**{**{name: row[name] for name in names}, "details": json.loads(row["details"])})
        for row in conn.execute(found).mappings()
    ]


def refusals(conn: Connection) -> list[dict[str, Any]]:
    """What was turned away, counted by reason and station, the most recent first."""
    columns = (refusal.c.reason, refusal.c.station, refusal.c.n, refusal.c.last_at, refusal.c.problem)
    found = conn.execute(select(*columns).order_by(refusal.c.last_at.desc())).mappings()
    return [dict(row) for row in found]


class _Rollup(msgspec.Struct, frozen=True):
    """Events of one kind in one hour, of all stations together."""

    hour: int
    plugin: str
    event: str
    dims: dict[str, Any]
    n: int


def _rollups(conn: Connection, *where: ColumnElement[bool]) -> list[_Rollup]:
    # Summed where it lies: a day of 2,600 stations is a quarter of a million rows, and a hundred sums.
    columns = (rollup.c.hour, rollup.c.plugin, rollup.c.event, rollup.c.dims)
    found = select(*columns, func.sum(rollup.c.n)).where(*where).group_by(*columns)
    return [
        _Rollup(hour, plugin, event, json.loads(dims), int(n))
        for hour, plugin, event, dims, n in conn.execute(found)
    ]


def _sum(conn: Connection, event: tuple[str, str], start: int, end: int) -> int:
    found = select(func.coalesce(func.sum(rollup.c.n), 0)).where(
        rollup.c.hour >= start, rollup.c.hour < end, rollup.c.plugin == event[0], rollup.c.event == event[1]
    )
    return int(conn.scalar(found) or 0)


def _event_of(manifests: Mapping[str, Manifest], plugin: str, metric: str) -> tuple[str, str]:
    declared = manifests[plugin].metrics.get(metric) if plugin in manifests else None
    return (plugin, declared.counts) if declared else ("", "")


def _splits(manifests: Mapping[str, Manifest]) -> list[str]:
    plugin, event = _event_of(manifests, *VISITS)
    field = manifests[plugin].events.get(event, {}).get(SPLIT) if plugin else None
    return list(field.values) if field else []


def _watermarks(conn: Connection) -> dict[str, Any]:
    columns = (watermark.c.station, watermark.c.complete_to, watermark.c.received_at, watermark.c.version)
    return {row.station: row for row in conn.execute(select(*columns))}


def _fresh(station: station_store.Station, marks: Mapping[str, Any], now: int) -> bool:
    mark = marks.get(station.id)
    heard = max(station.seen_at or 0, mark.received_at if mark else 0, station.claimed_at or 0)
    return now - heard <= LOST_MS


def _complete_to(
    active: list[station_store.Station], marks: Mapping[str, Any], lost: set[str], end: int
) -> tuple[int | None, float]:
    if not active:
        return None, 0.0
    reached = {each.id: marks[each.id].complete_to if each.id in marks else 0 for each in active}
    asked = [reached[each.id] for each in active if each.id not in lost] or list(reached.values())
    upto = min(min(asked), end)
    if not upto:
        return None, 0.0
    return upto, sum(mark >= upto for mark in reached.values()) / len(active)


def _completeness(active: list[station_store.Station], marks: Mapping[str, Any], end: int) -> tuple[int, int]:
    there = [each for each in active if (each.claimed_at or 0) < end]
    return sum(each.id in marks and marks[each.id].complete_to >= end for each in there), len(there)


def _state(start: int, complete: int, expected: int, active: int, now: int) -> State:
    """What is known of the time from `start` when `complete` of `expected` stations have said everything.

    Before the first of the `active` stations was there, nothing is missing; without any, nothing is known.
    """
    if start > now:
        return "future"
    if complete == expected:
        return "complete" if active else "unknown"
    return "partial" if complete else "unknown"


def _hour(
    start: int,
    rows: list[_Rollup],
    active: list[station_store.Station],
    marks: Mapping[str, Any],
    now: int,
    zone: str,
) -> Hour:
    by: dict[str, int] = {}
    for row in rows:
        if row.hour == start:
            split = str(row.dims.get(SPLIT, ""))
            by[split] = by.get(split, 0) + row.n
    complete, expected = _completeness(active, marks, start + HOUR_MS)
    label = datetime.fromtimestamp(start / 1000, ZoneInfo(zone)).strftime("%H:%M")
    state = _state(start, complete, expected, len(active), now)
    return Hour(start, label, state, complete, expected, sum(by.values()), by)


def _services(manifests: Mapping[str, Manifest], rows: list[_Rollup]) -> list[Service]:
    ends: dict[tuple[str, str], int] = {}
    for row in rows:
        if row.event == "opened":
            ends[row.plugin, "opened"] = ends.get((row.plugin, "opened"), 0) + row.n
        elif row.event == "closed":
            how = str(row.dims.get("how"))
            ends[row.plugin, how] = ends.get((row.plugin, how), 0) + row.n
    found = [
        Service(
            name,
            each.title,
            each.icon,
            each.colour,
            *(ends.get((name, end), 0) for end in ("opened", "finished", "left", "idle")),
        )
        for name, each in sorted(manifests.items(), key=lambda item: item[1].order)
    ]
    return sorted(found, key=lambda service: -service.opened)


def _metrics(manifests: Mapping[str, Manifest], rows: list[_Rollup]) -> list[Metric]:
    found = []
    for plugin, manifest in manifests.items():
        for name, declared in manifest.metrics.items():
            n, by = 0, {field: {} for field in declared.by}  # type: int, dict[str, dict[str, int]]
            for row in rows:
                if row.plugin == plugin and row.event == declared.counts:
                    n += row.n
                    for field in declared.by:
                        value = str(row.dims.get(field, "")).lower()
                        by[field][value] = by[field].get(value, 0) + row.n
            found.append(Metric(plugin, name, declared.title, n, by))
    return found


def _bookings(conn: Connection, start: int, end: int) -> Bookings:
    found = (
        select(request.c.status, func.count())
        .where(request.c.service == "booking", request.c.received_at >= start, request.c.received_at < end)
        .group_by(request.c.status)
    )
    n = {status or "waiting": times for status, times in conn.execute(found)}
    return Bookings(*(n.get(status, 0) for status in Bookings.__struct_fields__))


def _stations(
    conn: Connection,
    known: list[station_store.Station],
    marks: Mapping[str, Any],
    lost: set[str],
    visits: Mapping[str, int],
    start: int,
    end: int,
) -> list[StationLine]:
    failing = (
        select(fault.c.station, func.count())
        .where(fault.c.at >= start, fault.c.at < end)
        .group_by(fault.c.station)
    )
    failures = {station: n for station, n in conn.execute(failing)}
    return [
        StationLine(
            id=each.id,
            number=each.number,
            name=each.name,
            claimed=each.active,
            online=each.online and each.active and each.id not in lost,
            lost=each.id in lost,
            seen_at=max(filter(None, (each.seen_at, mark and mark.received_at)), default=None),
            complete_to=mark.complete_to if mark else None,
            version=mark.version if mark else "",
            visits=visits.get(each.id, 0),
            faults=failures.get(each.id, 0),
        )
        for each in known
        for mark in [marks.get(each.id)]
    ]
