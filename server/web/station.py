"""A station's page in words: its hours, what is missing and why, what was turned away, who speaks as it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from sqlalchemy import Connection

from server import queries
from server.figures import GapLine, StationDay
from server.queries import HOUR_MS
from server.store.clones import SHORT
from server.store.gaps import CLONE
from server.web.cards import Card
from server.web.listing import look
from server.web.moments import moment
from server.web.site import Site
from server.web.todo import both, said, two_machines
from server.web.words import Words

_FIRST_YEAR: Final = 2020


@dataclass(frozen=True)
class HourRow:
    """One hour; `state` is a word of the strings, `visits` and `n` (of all events) are as shown."""

    label: str
    state: str
    visits: str
    n: str


@dataclass(frozen=True)
class Trouble:
    """Something that is missing or was turned away: what, when, and what to do."""

    sentence: str
    line: str
    detail: str = ""


@dataclass(frozen=True)
class Speaker:
    """A stream of the station, and the run of its program that wrote it last."""

    name: str
    upto: str
    heard: str
    runs: tuple[str, ...]
    more: int


@dataclass(frozen=True)
class View:
    """Everything that the page shows, in the words of its language; `both`: which machines, if `cloned`."""

    id: str
    name: str
    number: str
    hours_open: str
    state: str
    day: str
    today: str
    before: str
    after: str
    now: str
    cloned: bool
    both: str
    cards: tuple[Card, ...]
    hours: tuple[HourRow, ...]
    gaps: tuple[Trouble, ...]
    refusals: tuple[Trouble, ...]
    faults: tuple[Trouble, ...]
    speakers: tuple[Speaker, ...]


def view(site: Site, conn: Connection, station: str, day: date, tr: Words) -> View | None:
    """The page of one station and day; None if there is no such station."""
    found = queries.station_day(conn, site.manifests, station, day, site.now(), site.zone)
    if found is None:
        return None
    line, today = found.station, site.today()
    cloned = any(gap.why == CLONE and gap.until is None for gap in found.gaps)
    return View(
        id=line.id,
        name=line.name,
        number=line.number,
        hours_open=found.hours_open,
        state=look(line, found.revoked_at is not None),
        day=found.day,
        today=today.isoformat(),
        before=(day - timedelta(days=1)).isoformat() if day.year > _FIRST_YEAR else "",
        after=(day + timedelta(days=1)).isoformat() if day < today else "",
        now=moment(site, found.now, found.now),
        cloned=cloned,
        both=two_machines(site, found.refusals, line.id, found.now, tr) if cloned else "",
        cards=tuple(_cards(site, found, day == today, tr)),
        hours=tuple(_hours(found, tr)),
        gaps=tuple(_gap(site, found, gap, tr) for gap in found.gaps),
        refusals=tuple(_refusals(site, found, tr)),
        faults=tuple(_faults(site, found, tr)),
        speakers=tuple(_speakers(site, found)),
    )


def _cards(site: Site, found: StationDay, today: bool, tr: Words) -> Iterator[Card]:
    line, sums = found.station, found.sums
    partial = ""
    if line.state in ("partial", "unknown"):
        partial = tr("station.partial")
    known = bool(line.visits or line.state == "complete")
    number = f"{line.visits:,}" if known else tr("none_yet" if line.state == "absent" else "unknown")
    yield Card("visits_today" if today else "visits_day", number, partial=partial)
    if line.complete_to is None:
        yield Card("complete", tr("complete.none"), lines=(tr("station.never"),))
    else:
        whole = sums.state == "complete"
        at = tr("complete.whole") if whole else moment(site, line.complete_to, _midday(found))
        holes = found.gaps and line.state == "partial"
        yield Card("complete", at, lines=(tr("station.but_gaps"),) if holes else ())
    heard = moment(site, line.seen_at, found.now) if line.seen_at else tr("none_yet")
    at_all = "lost" if line.lost else "online" if line.online else "offline"
    yield Card("heard", heard, lines=(tr(f"state.{at_all}"),) if line.claimed else ())
    corrected, unsure = found.clocks.corrected, found.clocks.unsure
    if corrected + unsure:
        split = tr("clock.split", corrected=f"{corrected:,}", unsure=f"{unsure:,}")
        yield Card("clock", tr("clock.wrong"), lines=(split,))
    else:
        yield Card("clock", tr("clock.right" if _spoke(found) else "none_yet"))
    yield Card("version", line.version or tr("none_yet"))


def _spoke(found: StationDay) -> bool:
    """Whether one of its streams goes from before the day's end to after its beginning."""
    start, end = found.hours[0].start, found.hours[-1].start + HOUR_MS
    return any(each.upto and each.first_at < end and each.heard_at >= start for each in found.streams)


def _midday(found: StationDay) -> int:
    return found.hours[len(found.hours) // 2].start


def _hours(found: StationDay, tr: Words) -> Iterator[HourRow]:
    for hour in found.hours:
        none = tr("unknown") if hour.state in ("partial", "unknown") else tr("none_yet")
        counted = hour.state == "complete"
        yield HourRow(
            hour.label,
            hour.state,
            f"{hour.visits:,}" if hour.visits or counted else none,
            f"{hour.n:,}" if hour.n or counted else none,
        )


def _gap(site: Site, found: StationDay, gap: GapLine, tr: Words) -> Trouble:
    beside = _midday(found)
    since = moment(site, gap.since, beside)
    if gap.until is None:
        when = tr("gap.since", since=since)
    elif gap.until - gap.since < 1000:
        when = since
    else:
        when = tr("gap.between", since=since, until=moment(site, gap.until, beside))
    why = gap.why if f"gap.why.{gap.why}" in tr.texts else "other"
    n = tr("gap.n", n=f"{gap.n:,}") if gap.n else ""
    return Trouble(f"{when} {tr(f'gap.why.{why}')}{n}", tr(f"gap_line.{why}"))


def _refusals(site: Site, found: StationDay, tr: Words) -> Iterator[Trouble]:
    for each in found.refusals:
        last = moment(site, each.last_at, found.now)
        line = tr("refusal.line", n=f"{each.n:,}", time=last)
        detail = both(site, each.problem, found.now, tr) if each.reason == CLONE else each.problem
        yield Trouble(said(each.reason, tr), line, detail)


def _faults(site: Site, found: StationDay, tr: Words) -> Iterator[Trouble]:
    for each in found.faults:
        manifest = site.manifests.get(each.plugin)
        plugin = tr.of(manifest.title) if manifest else each.plugin
        last = moment(site, each.last_at, _midday(found))
        yield Trouble(
            tr("fault.sentence", plugin=plugin, version=each.version, n=each.times, time=last),
            tr("todo.fault_line", where=each.place, kind=each.kind),
        )


def _speakers(site: Site, found: StationDay) -> Iterator[Speaker]:
    for each in found.streams:
        runs = tuple(f"{run.run[:SHORT] or '—'} · {moment(site, run.at, found.now)}" for run in each.runs[:3])
        heard = moment(site, each.heard_at, found.now)
        yield Speaker(each.name, f"{each.upto:,}", heard, runs, max(0, len(each.runs) - 3))
