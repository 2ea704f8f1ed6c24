"""What is missing: spans of a station's time about which not everything has arrived, or ever will.

`why` is one of: `lost` (numbers that the station no longer has), `new_stream` (the station began a new
history), `clone` (two machines speak as this station), `clock` (it arrived, but nobody can tell when in that
span it happened), the station's own words `disk`, `damaged`, `copy` and `parked`, or `other` for a word of a
later release. Times in ms since 1970.
"""

from typing import Final

import msgspec
from sqlalchemy import Connection, insert, or_, select, update

from server.store.schema import gap

CLOCK: Final = "clock"
CLONE: Final = "clone"
LOST: Final = "lost"
NEW_STREAM: Final = "new_stream"
OTHER: Final = "other"

#: What a station's `Loss` may give as its reason.
SAID: Final = frozenset({"disk", "damaged", "copy", "parked"})


class Gap(msgspec.Struct, frozen=True):
    """Of `station`, something between `since` and `until` (None: it lasts) is missing: `n` messages.

    They did arrive if `why` is clock. `n` is 0 when nobody knows; `at` is when headquarters learnt of it.
    """

    station: str
    since: int
    until: int | None
    why: str
    n: int
    at: int


def record(conn: Connection, station: str, since: int, until: int | None, why: str, n: int, at: int) -> None:
    """Keep one gap. An `until` before `since` is a wrong clock's: the gap is then one moment."""
    if until is not None:
        until = max(since, until)
    conn.execute(insert(gap).values(station=station, since=since, until=until, why=why, n=n, at=at))


def record_clock(conn: Connection, station: str, since: int, until: int, n: int, at: int) -> None:
    """As `record`, of `n` messages without a time; the station's last such gap grows if they touch."""
    mine = (gap.c.station == station, gap.c.why == CLOCK)
    last = conn.execute(select(gap).where(*mine).order_by(gap.c.id.desc()).limit(1)).one_or_none()
    if last is None or since > last.until + 1 or until < last.since - 1:
        record(conn, station, since, until, CLOCK, n, at)
        return
    both = {"since": min(since, last.since), "until": max(until, last.until), "n": last.n + n, "at": at}
    conn.execute(update(gap).where(gap.c.id == last.id).values(both))


def between(conn: Connection, start: int, end: int, station: str | None = None) -> dict[str, list[Gap]]:
    """Gaps that touch the time from `start` up to but without `end`, by station, the earliest first."""
    columns = [gap.c[name] for name in Gap.__struct_fields__]
    found = select(*columns).where(gap.c.since < end, or_(gap.c.until.is_(None), gap.c.until >= start))
    if station is not None:
        found = found.where(gap.c.station == station)
    gaps: dict[str, list[Gap]] = {}
    for row in conn.execute(found.order_by(gap.c.since, gap.c.id)):
        gaps.setdefault(row.station, []).append(Gap(*row))
    return gaps


def open_clone(conn: Connection, station: str) -> bool:
    """Whether two machines are known to speak as this station."""
    mine = (gap.c.station == station, gap.c.why == CLONE, gap.c.until.is_(None))
    return conn.scalar(select(gap.c.id).where(*mine).limit(1)) is not None


def close(conn: Connection, station: str, at: int) -> None:
    """What lasted at this station has ended."""
    lasting = (gap.c.station == station, gap.c.until.is_(None))
    conn.execute(update(gap).where(*lasting, gap.c.since <= at).values(until=at))
    conn.execute(update(gap).where(*lasting).values(until=gap.c.since))
