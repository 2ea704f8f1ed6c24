"""What needs a person: each thing in one sentence, with what to do and the page that says more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from sqlalchemy import Connection

from server import queries
from server.figures import Overview, RefusalLine, StationLine
from server.store import clones, gaps
from server.store.gaps import CLONE, Gap
from server.web.moments import lasting, moment
from server.web.site import Site
from server.web.words import Words

_RECENT_MS: Final = 24 * 3600 * 1000
_SHOWN: Final = 6
#: Gaps that somebody can do something about; others stand on the station's page only.
_TOLD: Final = frozenset({"disk", "damaged", "parked"})


@dataclass(frozen=True)
class Todo:
    """One thing that needs a person; `href` is where more of it stands, `detail` is for a technician."""

    icon: str
    sentence: str
    line: str = ""
    href: str = ""
    detail: str = ""


def todo(site: Site, conn: Connection, found: Overview, here: list[StationLine], tr: Words) -> Iterator[Todo]:
    """The most urgent things, and how many more there are; `here` are the stations that are not revoked."""
    if not site.live.broker_connected:
        yield Todo("lan-disconnect", tr("todo.broker"), tr("todo.broker_line"))
    recent = gaps.between(conn, found.now - _RECENT_MS, found.now + 1)
    refused = queries.refusals(conn)
    every = [
        *_clones(site, found, recent, refused, here, tr),
        *_failed(site, found, here, tr),
        *_gaps(site, found, recent, here, tr),
        *_refused(site, found, refused, here, tr),
        *_lost(site, found, here, tr),
    ]
    yield from every[:_SHOWN]
    if (more := len(every) - _SHOWN) > 0:
        yield Todo("dots-horizontal", tr("todo.more", n=more), href="/stations")


def page_of(station: str) -> str:
    """The path of a station's page."""
    return f"/stations/{quote(station, safe='')}"


def said(reason: str, tr: Words) -> str:
    """Why something was turned away, in a plain sentence."""
    return tr.texts.get(f"refusal.{reason}") or tr("refusal.other", reason=reason)


def two_machines(site: Site, refused: list[RefusalLine], station: str, beside: int, tr: Words) -> str:
    """Which two machines were last heard to speak as one station; times as beside `beside` (ms)."""
    for each in refused:
        if each.station == station and each.reason == CLONE:
            return both(site, each.problem, beside, tr)
    return ""


def both(site: Site, problem: str, beside: int, tr: Words) -> str:
    """The two machines that a refusal's text names, in words; empty if it names none."""
    machines = clones.read(problem)
    if not machines:
        return ""
    one, other = machines
    at, other_at = moment(site, one.heard, beside), moment(site, other.heard, beside)
    return tr("clone.both", one=one.short, one_at=at, other=other.short, other_at=other_at)


def _clones(
    site: Site,
    found: Overview,
    recent: Mapping[str, list[Gap]],
    refused: list[RefusalLine],
    here: list[StationLine],
    tr: Words,
) -> Iterator[Todo]:
    """Two machines that speak as one station, until one of them is set up anew."""
    for each in here:
        if any(gap.why == CLONE and gap.until is None for gap in recent.get(each.id, ())):
            yield Todo(
                "content-copy",
                tr("todo.clone", station=each.name),
                tr("todo.clone_line", id=each.id),
                page_of(each.id),
                two_machines(site, refused, each.id, found.now, tr),
            )


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
                time=moment(site, each.last_at, found.now),
                n=each.times,
            ),
            tr("todo.fault_line", where=each.place, kind=each.kind),
            page_of(each.station),
        )


def _gaps(
    site: Site, found: Overview, recent: Mapping[str, list[Gap]], here: list[StationLine], tr: Words
) -> Iterator[Todo]:
    """Data that will never come, of the last day: the newest of each kind at each station."""
    for each in here:
        newest = {gap.why: gap for gap in recent.get(each.id, ()) if gap.why in _TOLD}
        for why, gap in newest.items():
            time = moment(site, gap.since, found.now)
            yield Todo(
                "alert",
                tr(f"todo.gap.{why}", station=each.name, time=time),
                tr(f"gap_line.{why}"),
                page_of(each.id),
            )


def _refused(
    site: Site, found: Overview, refused: list[RefusalLine], here: list[StationLine], tr: Words
) -> Iterator[Todo]:
    """What was turned away in the last day: who, how often, and what to do."""
    names = {each.id: each.name for each in here}
    for each in refused:
        if found.now - each.last_at > _RECENT_MS or each.reason in (CLONE, "forked"):
            continue
        reason = each.reason if f"todo.refused.{each.reason}" in tr.texts else "other"
        yield Todo(
            "alert",
            tr(
                f"todo.refused.{reason}",
                station=names.get(each.station, each.station) or tr("unknown"),
                n=each.n,
                time=moment(site, each.last_at, found.now),
                reason=said(each.reason, tr),
            ),
            tr(f"todo.refused_line.{reason}"),
            page_of(each.station) if each.station in names else "",
        )


def _lost(site: Site, found: Overview, here: list[StationLine], tr: Words) -> Iterator[Todo]:
    for each in sorted((each for each in here if each.lost), key=lambda each: each.seen_at or 0):
        silent = lasting(found.now - each.seen_at, tr) if each.seen_at else tr("unknown")
        if each.complete_to:
            at = moment(site, each.complete_to, found.now)
            sentence = tr("todo.lost", station=each.name, for_how_long=silent, complete_to=at)
        else:
            sentence = tr("todo.lost_never", station=each.name, for_how_long=silent)
        yield Todo("wifi-off", sentence, href=page_of(each.id))
