"""The rows of the stations page and of the bookings page, in words."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from server import queries
from server.figures import Overview, StationLine
from server.store import stations
from server.web.site import Site
from server.web.todo import page_of
from server.web.words import Words

_DAY_MS: Final = 24 * 3600 * 1000
_BOOKING_DAYS: Final = 30


@dataclass(frozen=True)
class StationRow:
    """One station; `state` is a word of `look`, `partial` that not all of its visits are there."""

    href: str
    name: str
    number: str
    state: str
    visits: str
    complete_to: str
    partial: bool
    hours: str
    version: str


@dataclass(frozen=True)
class BookingRow:
    """One booking, without the contact, which is sealed to its office and stays in the store."""

    when: str
    person: str
    room: str
    matter: str
    code: str
    state: str
    station: str
    placed: str


def station_rows(site: Site, found: Overview, every: list[stations.Station], tr: Words) -> list[StationRow]:
    """Every station, those that need a person first."""
    profiles = {each.id: each for each in every}
    rows = []
    for line in found.stations:
        profile = profiles[line.id]
        state = look(line, profile.revoked_at is not None)
        partial = line.state in ("partial", "unknown")
        upto = site.local(line.complete_to).strftime("%m-%d %H:%M") if line.complete_to else "—"
        visits = f"{line.visits:,}" if line.claimed else "—"
        if partial and not line.visits:
            visits = tr("unknown")
        rows.append(
            StationRow(
                page_of(line.id),
                line.name,
                line.number,
                state,
                visits,
                upto,
                partial,
                profile.hours,
                line.version,
            )
        )
    urgency = {"fault": 0, "lost": 0}
    return sorted(rows, key=lambda row: urgency.get(row.state, 1))


def look(line: StationLine, revoked: bool) -> str:
    """How a station is, in one word of the strings: online, lost, fault, offline, new or revoked."""
    if revoked:
        return "revoked"
    if not line.claimed:
        return "new"
    if line.lost:
        return "lost"
    if line.faults:
        return "fault"
    return "online" if line.online else "offline"


def booking_rows(site: Site, conn: Connection, tr: Words) -> list[BookingRow]:
    """Bookings of the last 30 days and all to come, the next one first, past ones after."""
    now = site.now()
    names = {each.id: each.name for each in stations.every(conn)}
    found = queries.bookings(conn, now - _BOOKING_DAYS * _DAY_MS)
    coming = [each for each in found if each.starts_at >= now]
    past = [each for each in reversed(found) if each.starts_at < now]
    return [
        BookingRow(
            when=site.local(each.starts_at).strftime("%m-%d %H:%M"),
            person=str(each.details.get("person") or ""),
            room=str(each.details.get("room") or ""),
            matter=tr.texts.get(f"matter.{each.matter}", each.matter),
            code=each.code,
            state=each.state,
            station=names.get(each.station, each.station),
            placed=site.local(each.placed_at).strftime("%m-%d %H:%M"),
        )
        for each in [*coming, *past]
    ]
