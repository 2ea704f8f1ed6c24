"""The five big numbers of the overview, each with what is missing from it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Connection

from server import queries
from server.figures import Hour, Overview, StationLine
from server.web.ranges import DAYS
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


def missing(found: Overview, tr: Words) -> str:
    """What is missing from every sum of this range; empty when nothing is that could be there by now."""
    sums = found.sums
    if sums.state in ("complete", "future") or (sums.expected and sums.complete == sums.expected):
        return ""
    return tr("complete.rest", n=f"{sums.complete:,}", m=f"{sums.expected:,}")


def _number(n: int, found: Overview, tr: Words) -> str:
    """A sum; nothing at all is zero only if somebody has said so."""
    return f"{n:,}" if n or found.sums.complete or found.sums.state == "complete" else tr("unknown")


def _visits(site: Site, conn: Connection, found: Overview, range: str, tr: Words) -> Card:
    if range in DAYS:
        now, before, whole = found.visits, found.visits_before, found.before.state == "complete"
        against = tr(f"visits.last_{range}")
    else:
        past = [hour for hour in found.hours if hour.start + queries.HOUR_MS <= found.now]
        now, before, whole = _same_hours(site, conn, past, _day(found))
        against = tr("visits.last_weekday", weekday=tr(f"weekday.{_day(found).weekday()}"))
    line = tr("visits.no_before")
    if before:
        line = tr("visits.against", before=against, change=f"{(now - before) / before:+.1%}")
        line += "" if whole else tr("visits.before_partial")
    return Card("visits", _number(found.visits, found, tr), lines=(line,), partial=missing(found, tr))


def _same_hours(site: Site, conn: Connection, past: list[Hour], day: date) -> tuple[int, int, bool]:
    """Visits of the day's full hours, of the same hours a week before, and whether those are all there."""
    if not past:
        return 0, 0, True
    start, _ = queries.day_bounds(day - timedelta(days=7), site.zone)
    plugin, event = queries.visits_event(site.manifests)
    end = start + past[-1].start + queries.HOUR_MS - past[0].start
    if not queries.reaches(conn, end):
        return 0, 0, True
    before = queries.count_events(conn, start, end, site.now(), plugin=plugin, name=event)
    return sum(hour.n for hour in past), before.n, before.state == "complete"


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
    if not found.sums.complete:
        # However far they have reported: no station's data is whole.
        return Card("complete", tr("complete.none"), lines=(tr("complete.nobody"),))
    at = site.local(found.complete_to)
    if found.complete_to >= _end(found):
        number = tr("complete.whole_range" if range in DAYS else "complete.whole")
    else:
        number = at.strftime("%H:%M" if at.date() == _day(found) else "%m-%d %H:%M")
    if found.sums.complete == found.sums.expected:
        return Card("complete", number, lines=(tr("complete.all"),))
    # Rounded down: 99.97 % is not all.
    share = f"{int(found.complete_share * 1000) / 10:.1f}%"
    return Card("complete", number, lines=(tr("complete.stations", share=share),))


def _bookings(found: Overview, tr: Words) -> Card:
    confirmed, waiting = found.bookings.confirmed, found.bookings.waiting
    line = tr("bookings.split", confirmed=confirmed, waiting=waiting)
    number = _number(confirmed + waiting, found, tr)
    return Card("bookings", number, lines=(line,), partial=missing(found, tr))


def _broadcast(found: Overview, tr: Words) -> Card:
    plugin, flag = _BROADCAST
    for metric in found.metrics:
        if metric.plugin == plugin and flag in metric.by and metric.n:
            complete = metric.by[flag].get("true", 0)
            line = tr("broadcast.split", played=f"{metric.n:,}", complete=f"{complete:,}")
            return Card("broadcast", _share(complete, metric.n), lines=(line,), partial=missing(found, tr))
    return Card("broadcast", tr("none_yet"), lines=(tr("broadcast.none"),))


def _share(part: int, whole: int) -> str:
    """A share in percent, one digit after the point, rounded down: 99.97 % is not all."""
    tenths = part * 1000 // whole
    return "100%" if tenths == 1000 else f"{tenths / 10:.1f}%"
