"""What is known of every station, fetched once for all figures of one answer."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from server.completeness import SLACK_MS, Known, known
from server.store import gaps, stations
from server.store.gaps import Gap
from server.store.schema import stream, watermark
from server.store.stations import Station


@dataclass(frozen=True)
class Knowledge:
    """Stations by number and id, their last heartbeats (rows of `watermark`), what they owe and have said.

    `gaps` are those of the time that was asked for.
    """

    stations: list[Station]
    marks: dict[str, Any]
    gaps: dict[str, list[Gap]]
    known: dict[str, Known]

    @property
    def all(self) -> list[Known]:
        """What is known, without the stations' names."""
        return list(self.known.values())

    @property
    def active(self) -> list[Station]:
        """Stations that may speak."""
        return [each for each in self.stations if each.active]

    def heard(self, station: Station) -> int | None:
        """When anything came from this station last (ms)."""
        mark = self.marks.get(station.id)
        return max(filter(None, (station.seen_at, mark and mark.received_at)), default=None)

    def lost(self, station: Station, now: int) -> bool:
        """Whether a station that may speak has been silent for too long."""
        return station.active and now - max(self.heard(station) or 0, station.claimed_at or 0) > SLACK_MS


def look(conn: Connection, start: int, end: int, station: str | None = None) -> Knowledge:
    """What is known of all stations, or of one, with the gaps from `start` to `end` (ms)."""
    one = stations.get(conn, station) if station is not None else None
    found = stations.every(conn) if station is None else [one] if one else []
    columns = (watermark.c.station, watermark.c.complete_to, watermark.c.received_at, watermark.c.version)
    marks = {row.station: row for row in conn.execute(_of(select(*columns), watermark.c.station, station))}
    first = select(stream.c.station, func.min(stream.c.first_at)).group_by(stream.c.station)
    heard = {name: at for name, at in conn.execute(_of(first, stream.c.station, station))}
    missing = gaps.between(conn, start, end, station)
    owed = {
        each.id: known(
            each.claimed_at,
            each.revoked_at,
            marks[each.id].complete_to if each.id in marks else None,
            missing.get(each.id, ()),
            heard.get(each.id),
        )
        for each in found
    }
    return Knowledge(found, marks, missing, {name: each for name, each in owed.items() if each})


def _of(found: Any, column: Any, station: str | None) -> Any:
    return found if station is None else found.where(column == station)
