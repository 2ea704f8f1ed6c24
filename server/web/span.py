"""Figures of several days: the day's own figures with its sums and bars drawn over all the days."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, func, select

from protocol.manifest import Manifest
from server import queries
from server.figures import Bookings, Hour, Metric, Overview, Service, State
from server.store import stations
from server.store.schema import request, rollup

DAYS: Final = {"week": 7, "month": 30}


class _Sum(msgspec.Struct, frozen=True):
    day: int
    plugin: str
    event: str
    dims: dict[str, Any]
    n: int


def overview(
    conn: Connection, manifests: Mapping[str, Manifest], last: date, days: int, now: int, zone: str
) -> Overview:
    """The figures of the `days` that end with `last`, in bars of days; `visits_before`: the days before."""
    base = queries.overview(conn, manifests, last, now, zone)
    dates = [last - timedelta(days=back) for back in reversed(range(days))]
    bounds = [queries.day_bounds(day, zone) for day in dates]
    sums = _sums(conn, bounds)
    plugin, event = visits_event(manifests)
    visits = [each for each in sums if (each.plugin, each.event) == (plugin, event)]
    start, end = bounds[0][0], bounds[-1][1]
    # As long before, and as far into its last day: a day that has just begun is not set against a whole one.
    early = 2 * start - end
    late = min(end, now - now % queries.HOUR_MS) - (end - start)
    before = 0
    if reaches(conn, early + 24 * queries.HOUR_MS):
        before = queries.count_events(conn, early, late, now, plugin=plugin, name=event).n
    upto = {each.id: each.complete_to or 0 for each in base.stations}
    active = [each for each in stations.every(conn) if each.active]
    by_station = queries.by_station(conn, (plugin, event), start, end)
    return msgspec.structs.replace(
        base,
        visits=sum(each.n for each in visits),
        visits_before=before,
        hours=[_bar(index, day, bounds[index], visits, active, upto, now) for index, day in enumerate(dates)],
        services=_services(base.services, sums),
        metrics=_metrics(base.metrics, manifests, sums),
        bookings=_bookings(conn, start, end),
        stations=[msgspec.structs.replace(each, visits=by_station.get(each.id, 0)) for each in base.stations],
        faults=queries.faults(conn, start, end),
    )


def reaches(conn: Connection, moment: int) -> bool:
    """Whether there are figures from before this moment (ms), so that comparing with it means something."""
    first = conn.scalar(select(func.min(rollup.c.hour)))
    return first is not None and first < moment


def visits_event(manifests: Mapping[str, Manifest]) -> tuple[str, str]:
    """The plugin and the event that the visits card counts."""
    plugin, metric = queries.VISITS
    declared = manifests[plugin].metrics.get(metric) if plugin in manifests else None
    return plugin, declared.counts if declared else ""


def _sums(conn: Connection, bounds: list[tuple[int, int]]) -> list[_Sum]:
    found = (
        select(rollup.c.hour, rollup.c.plugin, rollup.c.event, rollup.c.dims, func.sum(rollup.c.n))
        .where(rollup.c.hour >= bounds[0][0], rollup.c.hour < bounds[-1][1])
        .group_by(rollup.c.hour, rollup.c.plugin, rollup.c.event, rollup.c.dims)
    )
    sums: dict[tuple[int, str, str, str], int] = {}
    for hour, plugin, event, dims, n in conn.execute(found):
        day = next(index for index, (_, end) in enumerate(bounds) if hour < end)
        key = (day, plugin, event, dims)
        sums[key] = sums.get(key, 0) + int(n)
    return [_Sum(day, plugin, event, json.loads(dims), n) for (day, plugin, event, dims), n in sums.items()]


def _bar(
    index: int,
    day: date,
    bounds: tuple[int, int],
    visits: list[_Sum],
    active: list[stations.Station],
    upto: Mapping[str, int],
    now: int,
) -> Hour:
    start, end = bounds
    by: dict[str, int] = {}
    for each in visits:
        if each.day == index:
            split = str(each.dims.get(queries.SPLIT, ""))
            by[split] = by.get(split, 0) + each.n
    there = [each for each in active if (each.claimed_at or 0) < end]
    complete = sum(upto.get(each.id, 0) >= end for each in there)
    state: State = "partial" if complete else "unknown"
    if start > now:
        state = "future"
    elif complete == len(there):
        state = "complete"
    return Hour(start, day.strftime("%m-%d"), state, complete, len(there), sum(by.values()), by)


def _services(shown: list[Service], sums: list[_Sum]) -> list[Service]:
    def n(plugin: str, event: str, how: str = "") -> int:
        return sum(
            each.n
            for each in sums
            if (each.plugin, each.event) == (plugin, event) and (not how or each.dims.get("how") == how)
        )

    found = [
        msgspec.structs.replace(
            each,
            opened=n(each.plugin, "opened"),
            **{how: n(each.plugin, "closed", how) for how in ("finished", "left", "idle")},
        )
        for each in shown
    ]
    return sorted(found, key=lambda service: -service.opened)


def _metrics(shown: list[Metric], manifests: Mapping[str, Manifest], sums: list[_Sum]) -> list[Metric]:
    found = []
    for metric in shown:
        declared = manifests[metric.plugin].metrics[metric.name]
        own = [each for each in sums if (each.plugin, each.event) == (metric.plugin, declared.counts)]
        by: dict[str, dict[str, int]] = {field: {} for field in declared.by}
        for each in own:
            for field in declared.by:
                value = str(each.dims.get(field, "")).lower()
                by[field][value] = by[field].get(value, 0) + each.n
        found.append(msgspec.structs.replace(metric, n=sum(each.n for each in own), by=by))
    return found


def _bookings(conn: Connection, start: int, end: int) -> Bookings:
    found = (
        select(request.c.status, func.count())
        .where(request.c.service == "booking", request.c.received_at >= start, request.c.received_at < end)
        .group_by(request.c.status)
    )
    n = {status or "waiting": int(times) for status, times in conn.execute(found)}
    return Bookings(*(n.get(status, 0) for status in Bookings.__struct_fields__))
