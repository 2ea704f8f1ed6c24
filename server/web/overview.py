"""The overview page's numbers in words: cards, bars, services, what to look after, one cell a station."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from math import ceil
from typing import Final

from sqlalchemy import Connection

from server import queries
from server.figures import Overview, Service, StationLine
from server.store import stations
from server.web.cards import Card, cards, missing
from server.web.ranges import DAYS, Range
from server.web.site import Site
from server.web.todo import Todo, page_of, todo
from server.web.words import Words

_SHADES: Final = 5


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
class Cell:
    """One station of the grid; `look` is its CSS class, `href` its page."""

    href: str
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
    missing: str
    most_opened: int
    todo: tuple[Todo, ...]
    cells: tuple[Cell, ...]


def figures(site: Site, conn: Connection, shown: Range, day: date) -> Overview:
    """The figures of a range that ends with `day`, a few seconds old when many look at once."""

    def found() -> Overview:
        if shown in DAYS:
            return queries.span(conn, site.manifests, day, DAYS[shown], site.now(), site.zone)
        return queries.overview(conn, site.manifests, day, site.now(), site.zone)

    return site.figures.get((shown, day), every(shown) * site.hold, found)


def every(shown: Range) -> int:
    """Seconds between two looks of an open page: sums over many days cost more and change less."""
    return 60 if shown in DAYS else 5


def view(site: Site, conn: Connection, shown: Range, day: date, tr: Words) -> View:
    """The page of a range that ends with `day`."""
    found = figures(site, conn, shown, day)
    bars = tuple(_bars(found, tr, hourly=shown not in DAYS))
    revoked = {each.id for each in stations.every(conn) if each.revoked_at is not None}
    here = [each for each in found.stations if each.id not in revoked]
    services = tuple(_services(found, tr))
    return View(
        range=shown,
        title=tr(f"overview.title.{shown}", day=day.isoformat()),
        day=day.isoformat(),
        today=site.today().isoformat(),
        now=site.local(found.now).strftime("%H:%M"),
        hourly=shown not in DAYS,
        cards=tuple(cards(site, conn, found, here, shown, tr)),
        trades=tuple(tr.texts.get(f"trade.{each}", each) for each in found.splits),
        bars=bars,
        services=services,
        missing=missing(found, tr),
        most_opened=max((each.opened for each in services), default=1) or 1,
        todo=tuple(todo(site, conn, found, here, tr)),
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


def _cells(here: list[StationLine], tr: Words) -> Iterator[Cell]:
    # Against the busy end, not the busiest: one festival must not make all other stations look empty.
    visits = sorted(each.visits for each in here)
    busy = visits[len(visits) * 19 // 20] if visits else 0
    for each in here:
        if not each.claimed:
            yield Cell(page_of(each.id), "new", tr("grid.new", station=each.name))
            continue
        look = "lost" if each.lost else "fault" if each.faults else ""
        if not look and each.state in ("partial", "unknown"):
            look = "partial"
        title = tr(f"grid.{look or 'visits'}", station=each.name, n=f"{each.visits:,}")
        if not look:
            look = f"shade-{min(_SHADES, ceil(_SHADES * each.visits / max(1, busy)))}"
        yield Cell(page_of(each.id), look, title)
