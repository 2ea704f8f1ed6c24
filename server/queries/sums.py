"""Sums of rollups: events by hour and kind, as the manifests name them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, Connection, func, select

from protocol.manifest import Manifest
from server.completeness import so_far
from server.figures import Count, Metric, Service
from server.queries.knowledge import look
from server.store.schema import rollup

#: The metrics of the first card: plugin and metric name, and the field that splits the chart.
VISITS: Final = ("check_in", "visits")
SPLIT: Final = "trade"
PEOPLE_FLAG: Final = "first_today"


class Sum(msgspec.Struct, frozen=True):
    """Events of one kind in one hour, of all stations together."""

    hour: int
    plugin: str
    event: str
    dims: dict[str, Any]
    n: int


def sums(conn: Connection, start: int, end: int) -> list[Sum]:
    """All events from `start` to `end` (ms)."""
    # Summed where it lies: a day of 2,600 stations is a quarter of a million rows, and a hundred sums.
    columns = (rollup.c.hour, rollup.c.plugin, rollup.c.event, rollup.c.dims)
    found = select(*columns, func.sum(rollup.c.n)).where(*_in(start, end)).group_by(*columns)
    read: dict[str, dict[str, Any]] = {}
    return [
        Sum(hour, plugin, event, read.setdefault(dims, json.loads(dims)), int(n))
        for hour, plugin, event, dims, n in conn.execute(found)
    ]


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
    where = _in(start, end)
    where += [
        column == value
        for column, value in ((rollup.c.station, station), (rollup.c.plugin, plugin), (rollup.c.event, name))
        if value is not None
    ]
    n = int(conn.scalar(select(func.coalesce(func.sum(rollup.c.n), 0)).where(*where)) or 0)
    found = so_far(look(conn, start, end, station).all, start, end, now, n > 0)
    return Count(n, found.state, found.complete, found.expected, found.upto)


def times(conn: Connection, event: tuple[str, str], start: int, end: int) -> int:
    """How often all stations together reported this event (plugin, name) from `start` to `end` (ms)."""
    found = select(func.coalesce(func.sum(rollup.c.n), 0)).where(*_in(start, end))
    return int(conn.scalar(found.where(rollup.c.plugin == event[0], rollup.c.event == event[1])) or 0)


def by_station(conn: Connection, event: tuple[str, str], start: int, end: int) -> dict[str, int]:
    """How often each station reported this event (plugin, name) in the hours from `start` to `end` (ms)."""
    found = (
        select(rollup.c.station, func.sum(rollup.c.n))
        .where(*_in(start, end), rollup.c.plugin == event[0], rollup.c.event == event[1])
        .group_by(rollup.c.station)
    )
    return {station: int(n) for station, n in conn.execute(found)}


def reaches(conn: Connection, moment: int) -> bool:
    """Whether there are figures from before this moment (ms), so that comparing with it means something."""
    first = conn.scalar(select(func.min(rollup.c.hour)))
    return first is not None and first < moment


def visits_event(manifests: Mapping[str, Manifest]) -> tuple[str, str]:
    """The plugin and the event that the visits card counts; empty without such a plugin."""
    plugin, metric = VISITS
    declared = manifests[plugin].metrics.get(metric) if plugin in manifests else None
    return (plugin, declared.counts) if declared else ("", "")


def splits(manifests: Mapping[str, Manifest]) -> list[str]:
    """The values that split the visits, in the manifest's order."""
    plugin, event = visits_event(manifests)
    field = manifests[plugin].events.get(event, {}).get(SPLIT) if plugin else None
    return list(field.values) if field else []


def services(manifests: Mapping[str, Manifest], rows: Iterable[Sum]) -> list[Service]:
    """How often each plugin was opened and how that ended, the most opened first."""
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


def metrics(manifests: Mapping[str, Manifest], rows: Iterable[Sum]) -> list[Metric]:
    """Every metric that the manifests declare."""
    of: dict[tuple[str, str], list[Sum]] = {}
    for row in rows:
        of.setdefault((row.plugin, row.event), []).append(row)
    found = []
    for plugin, manifest in manifests.items():
        for name, declared in manifest.metrics.items():
            own = of.get((plugin, declared.counts), [])
            by: dict[str, dict[str, int]] = {field: {} for field in declared.by}
            for row in own:
                for field in declared.by:
                    value = str(row.dims.get(field, "")).lower()
                    by[field][value] = by[field].get(value, 0) + row.n
            found.append(Metric(plugin, name, declared.title, sum(row.n for row in own), by))
    return found


def _in(start: int, end: int) -> list[ColumnElement[bool]]:
    return [rollup.c.hour >= start, rollup.c.hour < end]
