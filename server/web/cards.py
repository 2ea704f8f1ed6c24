"""The five big numbers of the overview, each with what is missing from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Connection

from server import queries
from server.figures import Hour, Overview, StationLine
from server.web import span
from server.web.site import Site
from server.web.words import Words

_MINUTE: Final = 60_000
#: The plugin of the fifth card, and the flag of its metric that says whether an item was played to its end.
_BROADCAST: Final = ("broadcast", "complete")


@dataclass(frozen=True)
class Card:
    """One big number. `partial` says what is missing from it."""

    key: str
    number: str
    rest: str = ""
    lines: tuple[str, ...] = ()
    partial: str = ""


def cards(
    site: Site, conn: Connection, found: Overview, here: list[StationLine], range: str, tr: Words
) -> Iterator[Card]:
    """The cards of a range (today, day, week, month); `here` are the stations that are not revoked."""
    yield _visits(site, conn, found, range, tr)
    yield _online(found, here, tr)
    yield _complete(site, found, range, tr)
    yield _bookings(found, tr)
    yield _broadcast(found, tr)


def _visits(site: Site, conn: Connection, found: Overview, range: str, tr: Words) -> Card:
    past = [hour for hour in found.hours if hour.start + queries.HOUR_MS <= found.now]
    if range in span.DAYS:
        now, before = found.visits, found.visits_before
        against = tr(f"visits.last_{range}")
    else:
        day = _day(found)
        now, before = _same_hours(site, conn, past, day)
        against = tr("visits.last_weekday", weekday=tr(f"weekday.{day.weekday()}"))
    lines = [tr("visits.no_before")]
    complete, of = _complete_of(found, past)
    whole = complete == of
    if before:
        lines = [tr("visits.against", before=against, change=f"{(now - before) / before:+.1%}")]
    partial = "" if whole else tr("complete.rest", n=complete, m=of)
    number = f"{found.visits:,}" if found.visits or whole or complete else tr("unknown")
    return Card("visits", number, lines=tuple(lines), partial=partial)


def _same_hours(site: Site, conn: Connection, past: list[Hour], day: date) -> tuple[int, int]:
    """Visits of the day's full hours, and of the same hours a week before."""
    if not past:
        return 0, 0
    start, _ = queries.day_bounds(day - timedelta(days=7), site.zone)
    plugin, event = span.visits_event(site.manifests)
    end = start + past[-1].start + queries.HOUR_MS - past[0].start
    if not span.reaches(conn, end):
        return 0, 0
    before = queries.count_events(conn, start, end, site.now(), plugin=plugin, name=event)
    return sum(hour.n for hour in past), before.n


def _complete_of(found: Overview, past: list[Hour]) -> tuple[int, int]:
    """How many of how many stations have reported everything that the sum could know by now."""
    if past and past[-1].start + queries.HOUR_MS == _end(found):
        return min((hour.complete, hour.expected) for hour in past)
    if found.complete_to is None:
        return 0, found.stations_total
    return round(found.complete_share * found.stations_total), found.stations_total


def _end(found: Overview) -> int:
    return queries.day_bounds(_day(found), found.zone)[1]


def _day(found: Overview) -> date:
    return date.fromisoformat(found.day)


def _online(found: Overview, here: list[StationLine], tr: Words) -> Card:
    if not here:
        return Card("online", tr("none_yet"), lines=(tr("online.none"),))
    lines = []
    if found.stations_lost:
        lines.append(tr("online.lost", n=found.stations_lost, minutes=queries.LOST_MS // _MINUTE))
    elif found.stations_total:
        lines.append(tr("online.all"))
    if unclaimed := sum(not each.claimed for each in here):
        lines.append(tr("online.unclaimed", n=unclaimed))
    return Card("online", f"{found.stations_online:,}", f"/ {found.stations_total:,}", tuple(lines))


def _complete(site: Site, found: Overview, range: str, tr: Words) -> Card:
    if found.complete_to is None:
        return Card("complete", tr("complete.none"), lines=(tr("complete.never"),))
    at = site.local(found.complete_to)
    if found.complete_to >= _end(found):
        number = tr("complete.whole_range" if range in span.DAYS else "complete.whole")
    else:
        number = at.strftime("%H:%M" if at.date() == _day(found) else "%m-%d %H:%M")
    complete = round(found.complete_share * found.stations_total)
    if complete == found.stations_total:
        return Card("complete", number, lines=(tr("complete.all"),))
    # Rounded down: 99.97 % is not all.
    share = f"{int(found.complete_share * 1000) / 10:.1f}%"
    return Card("complete", number, lines=(tr("complete.stations", share=share),))


def _bookings(found: Overview, tr: Words) -> Card:
    confirmed, waiting = found.bookings.confirmed, found.bookings.waiting
    line = tr("bookings.split", confirmed=confirmed, waiting=waiting)
    return Card("bookings", f"{confirmed + waiting:,}", lines=(line,))


def _broadcast(found: Overview, tr: Words) -> Card:
    plugin, flag = _BROADCAST
    for metric in found.metrics:
        if metric.plugin == plugin and flag in metric.by and metric.n:
            complete = metric.by[flag].get("true", 0)
            line = tr("broadcast.split", played=f"{metric.n:,}", complete=f"{complete:,}")
            return Card("broadcast", _share(complete, metric.n), lines=(line,))
    return Card("broadcast", tr("none_yet"), lines=(tr("broadcast.none"),))


def _share(part: int, whole: int) -> str:
    """A share in percent, one digit after the point, rounded down: 99.97 % is not all."""
    tenths = part * 1000 // whole
    return "100%" if tenths == 1000 else f"{tenths / 10:.1f}%"
