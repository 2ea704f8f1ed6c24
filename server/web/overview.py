"""The overview page's numbers in words: cards, bars, services, what to look after, one cell a station."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Final, Literal

from sqlalchemy import Connection

from server import queries
from server.figures import Overview, Service, StationLine
from server.store import stations
from server.web import span
from server.web.cards import Card, cards
from server.web.site import Site
from server.web.words import Words

Range = Literal["today", "day", "week", "month"]
#: Ranges that have a button; a single day has the date field.
RANGES: Final[tuple[Range, ...]] = ("today", "week", "month")

_REFUSED_MS: Final = 24 * 3600 * 1000
_TODO_SHOWN: Final = 6
_SHADES: Final = 5
_MINUTE: Final = 60_000


@dataclass(frozen=True)
class Bar:
    """One hour or day. `by_trade` follows the view's trades; `whole` when every station has reported all."""

    label: str
    by_trade: tuple[int, ...]
    sum: int
    complete: int
    of: int
    whole: bool


@dataclass(frozen=True)
class Opened:
    """One service: how often it was opened, and how many of those visits came to their end."""

    title: str
    colour: str
    opened: int
    finished: str


@dataclass(frozen=True)
class Todo:
    """One thing that needs a person."""

    icon: str
    sentence: str
    line: str = ""


@dataclass(frozen=True)
class Cell:
    """One station of the grid; `look` is its CSS class."""

    id: str
    look: str
    title: str


@dataclass(frozen=True)
class View:
    """Everything that the page shows, in the words of its language."""

    range: Range
    title: str
    day: str
    today: str
    now: str
    hourly: bool
    cards: tuple[Card, ...]
    trades: tuple[str, ...]
    bars: tuple[Bar, ...]
    services: tuple[Opened, ...]
    most_opened: int
    todo: tuple[Todo, ...]
    cells: tuple[Cell, ...]


def figures(site: Site, conn: Connection, shown: Range, day: date) -> Overview:
    """The figures of a range that ends with `day`, a few seconds old when many look at once."""

    def found() -> Overview:
        if shown in span.DAYS:
            return span.overview(conn, site.manifests, day, span.DAYS[shown], site.now(), site.zone)
        return queries.overview(conn, site.manifests, day, site.now(), site.zone)

    return site.figures.get((shown, day), every(shown) * site.hold, found)


def every(shown: Range) -> int:
    """Seconds between two looks of an open page: sums over many days cost more and change less."""
    return 60 if shown in span.DAYS else 5


def view(site: Site, conn: Connection, shown: Range, day: date, tr: Words) -> View:
    """The page of a range that ends with `day`."""
    found = figures(site, conn, shown, day)
    bars = tuple(_bars(found, tr, hourly=shown not in span.DAYS))
    revoked = {each.id for each in stations.every(conn) if each.revoked_at is not None}
    here = [each for each in found.stations if each.id not in revoked]
    services = tuple(_services(found, tr))
    return View(
        range=shown,
        title=tr(f"overview.title.{shown}", day=day.isoformat()),
        day=day.isoformat(),
        today=site.today().isoformat(),
        now=site.local(found.now).strftime("%H:%M"),
        hourly=shown not in span.DAYS,
        cards=tuple(cards(site, conn, found, here, shown, tr)),
        trades=tuple(tr.texts.get(f"trade.{each}", each) for each in found.splits),
        bars=bars,
        services=services,
        most_opened=max((each.opened for each in services), default=1) or 1,
        todo=tuple(_todo(site, conn, found, here, tr)),
        cells=tuple(_cells(here, tr)),
    )


def _bars(found: Overview, tr: Words, *, hourly: bool) -> Iterator[Bar]:
    for hour in found.hours:
        if hour.state == "future":
            continue
        known = [hour.by.get(trade, 0) for trade in found.splits]
        if rest := hour.n - sum(known):
            known[-1] += rest  # a trade of a newer release: counted, with those who did not say
        yield Bar(
            label=tr("hours.label", hour=hour.label.partition(":")[0].lstrip("0") or "0")
            if hourly
            else hour.label,
            by_trade=tuple(known),
            sum=hour.n,
            complete=hour.complete,
            of=hour.expected,
            whole=hour.state == "complete",
        )


def _services(found: Overview, tr: Words) -> Iterator[Opened]:
    for each in found.services:
        if each.opened:
            yield Opened(tr.of(each.title), each.colour, each.opened, _finished(each, tr))


def _finished(service: Service, tr: Words) -> str:
    ended = service.finished + service.left + service.idle
    return f"{service.finished * 100 // ended}%" if ended else tr("none_yet")


def _todo(
    site: Site, conn: Connection, found: Overview, here: list[StationLine], tr: Words
) -> Iterator[Todo]:
    if site.live.stale_since is not None:
        at = site.local(site.live.stale_since).strftime("%H:%M")
        yield Todo("database-alert", tr("todo.stale", time=at), tr("todo.stale_line"))
    if not site.live.broker_connected:
        yield Todo("lan-disconnect", tr("todo.broker"), tr("todo.broker_line"))
    refused = _refused(site, conn, found, here, tr)
    every = [*_failed(site, found, here, tr), *refused, *_lost(site, found, here, tr)]
    yield from every[:_TODO_SHOWN]
    if (more := len(every) - _TODO_SHOWN) > 0:
        yield Todo("dots-horizontal", tr("todo.more", n=more))


def _failed(site: Site, found: Overview, here: list[StationLine], tr: Words) -> Iterator[Todo]:
    names = {each.id: each.name for each in here}
    for each in found.faults:
        if each.station not in names:
            continue
        manifest = site.manifests.get(each.plugin)
        yield Todo(
            "alert",
            tr(
                "todo.fault",
                station=names[each.station],
                plugin=tr.of(manifest.title) if manifest else each.plugin,
                time=_time(site, each.last_at, found.now),
                n=each.times,
            ),
            tr("todo.fault_line", where=each.place, kind=each.kind),
        )


def _refused(
    site: Site, conn: Connection, found: Overview, here: list[StationLine], tr: Words
) -> Iterator[Todo]:
    """What was turned away in the last day: who, how often, and what to do."""
    names = {each.id: each.name for each in here}
    for each in queries.refusals(conn):
        if found.now - each["last_at"] > _REFUSED_MS:
            continue
        reason = each["reason"] if f"todo.refused.{each['reason']}" in tr.texts else "other"
        yield Todo(
            "alert",
            tr(
                f"todo.refused.{reason}",
                station=names.get(each["station"], each["station"]) or tr("unknown"),
                n=each["n"],
                time=_time(site, each["last_at"], found.now),
                reason=each["reason"],
            ),
            tr(f"todo.refused_line.{reason}"),
        )


def _lost(site: Site, found: Overview, here: list[StationLine], tr: Words) -> Iterator[Todo]:
    for each in sorted((each for each in here if each.lost), key=lambda each: each.seen_at or 0):
        silent = _span(found.now - each.seen_at, tr) if each.seen_at else tr("unknown")
        if each.complete_to:
            at = _time(site, each.complete_to, found.now)
            sentence = tr("todo.lost", station=each.name, for_how_long=silent, complete_to=at)
        else:
            sentence = tr("todo.lost_never", station=each.name, for_how_long=silent)
        yield Todo("wifi-off", sentence)


def _time(site: Site, ms: int, now: int) -> str:
    at = site.local(ms)
    return at.strftime("%H:%M" if at.date() == site.local(now).date() else "%m-%d %H:%M")


def _span(ms: int, tr: Words) -> str:
    minutes = max(1, ms // _MINUTE)
    if minutes < 120:
        return tr("span.minutes", n=minutes)
    if minutes < 48 * 60:
        return tr("span.hours", n=minutes // 60)
    return tr("span.days", n=minutes // (24 * 60))


def _cells(here: list[StationLine], tr: Words) -> Iterator[Cell]:
    # Against the busy end, not the busiest: one festival must not make all other stations look empty.
    visits = sorted(each.visits for each in here)
    busy = visits[len(visits) * 19 // 20] if visits else 0
    for each in here:
        if not each.claimed:
            yield Cell(each.id, "new", tr("grid.new", station=each.name))
            continue
        look = "lost" if each.lost else "fault" if each.faults else ""
        title = tr(f"grid.{look or 'visits'}", station=each.name, n=f"{each.visits:,}")
        if not look:
            look = f"shade-{min(_SHADES, ceil(_SHADES * each.visits / max(1, busy)))}"
        yield Cell(each.id, look, title)
