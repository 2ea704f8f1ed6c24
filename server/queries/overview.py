"""The first page's figures: of one local day in bars of hours, or of several days in bars of days."""

from collections.abc import Mapping
from datetime import date, timedelta

from sqlalchemy import Connection, func, select

from protocol.manifest import Manifest
from server.completeness import Completeness, Known, so_far, state, whole
from server.figures import Hour, Overview, StationLine
from server.queries import days, sums
from server.queries.bookings import booked
from server.queries.days import HOUR_MS, Stretch, day_bounds
from server.queries.knowledge import Knowledge, look
from server.queries.sums import PEOPLE_FLAG, SPLIT, Sum
from server.queries.troubles import faults
from server.store.schema import fault
from server.store.stations import Station
from server.times import ZONE


def overview(
    conn: Connection, manifests: Mapping[str, Manifest], day: date, now: int, zone: str = ZONE
) -> Overview:
    """A local day, as known at `now` (ms), beside the whole same weekday a week before."""
    week_ago = day_bounds(day - timedelta(days=7), zone)
    return _overview(conn, manifests, day, days.hours(day, zone), week_ago, now, zone)


def span(
    conn: Connection, manifests: Mapping[str, Manifest], last: date, n: int, now: int, zone: str = ZONE
) -> Overview:
    """The `n` local days that end with `last`, in bars of days, beside as many days before."""
    bars = days.days(last, n, zone)
    start, end = bars[0].start, bars[-1].end
    # As long before, and as far into its last day: a day that has just begun is not set against a whole one.
    early = 2 * start - end
    late = min(end, now - now % HOUR_MS) - (end - start)
    if not sums.reaches(conn, early + 24 * HOUR_MS):
        late = early
    return _overview(conn, manifests, last, bars, (early, late), now, zone)


def _overview(
    conn: Connection,
    manifests: Mapping[str, Manifest],
    day: date,
    bars: list[Stretch],
    earlier: tuple[int, int],
    now: int,
    zone: str,
) -> Overview:
    start, end = bars[0].start, bars[-1].end
    rows = sums.sums(conn, start, end)
    event = sums.visits_event(manifests)
    visits = [row for row in rows if (row.plugin, row.event) == event]
    before = sums.times(conn, event, *earlier)
    here = look(conn, earlier[0], end)
    known = here.all
    found = so_far(known, start, end, now, arrived=bool(rows))
    active = here.active
    lost = {each.id for each in active if here.lost(each, now)}
    return Overview(
        day=day.isoformat(),
        zone=zone,
        now=now,
        sums=found,
        visits=sum(row.n for row in visits),
        visits_before=before,
        before=whole(known, *earlier, now, arrived=before > 0),
        people=sum(row.n for row in visits if row.dims.get(PEOPLE_FLAG) is True),
        hours=[_hour(bar, visits, known, now) for bar in bars],
        splits=sums.splits(manifests),
        services=sums.services(manifests, rows),
        metrics=sums.metrics(manifests, rows),
        stations_total=len(active),
        stations_online=sum(each.online and each.id not in lost for each in active),
        stations_lost=len(lost),
        complete_to=found.upto,
        complete_share=found.complete / found.expected if found.expected else 0.0,
        bookings=booked(conn, start, end),
        stations=station_lines(conn, here, found, sums.by_station(conn, event, start, end), start, end, now),
        faults=faults(conn, start, end),
    )


def station_lines(
    conn: Connection,
    here: Knowledge,
    found: Completeness,
    visits: Mapping[str, int],
    start: int,
    end: int,
    now: int,
) -> list[StationLine]:
    """A line for every station that is known here, each judged up to the time that the sums are judged by."""
    failing = (
        select(fault.c.station, func.count())
        .where(fault.c.at >= start, fault.c.at < end)
        .group_by(fault.c.station)
    )
    failures = {station: n for station, n in conn.execute(failing)}
    upto = found.upto if found.upto is not None and found.upto > start else end

    def line(each: Station) -> StationLine:
        mark, owed, lost = here.marks.get(each.id), here.known.get(each.id), here.lost(each, now)
        n = visits.get(each.id, 0)
        return StationLine(
            id=each.id,
            number=each.number,
            name=each.name,
            claimed=each.active,
            online=each.online and each.active and not lost,
            lost=lost,
            seen_at=here.heard(each),
            complete_to=mark.complete_to if mark else None,
            state=state(owed, start, upto, now, n > 0) if owed else "absent",
            version=mark.version if mark else "",
            visits=n,
            faults=failures.get(each.id, 0),
        )

    return [line(each) for each in here.stations]


def _hour(bar: Stretch, visits: list[Sum], known: list[Known], now: int) -> Hour:
    by: dict[str, int] = {}
    for row in visits:
        if bar.start <= row.hour < bar.end:
            split = str(row.dims.get(SPLIT, ""))
            by[split] = by.get(split, 0) + row.n
    n = sum(by.values())
    found = whole(known, bar.start, bar.end, now, arrived=n > 0)
    return Hour(bar.start, bar.label, found.state, found.complete, found.expected, n, by)
