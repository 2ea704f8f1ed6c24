"""What went wrong: plugins that failed at stations, and what headquarters turned away."""

from sqlalchemy import Connection, func, select

from server.figures import FaultLine, RefusalLine
from server.store.schema import fault, refusal


def faults(conn: Connection, start: int, end: int, station: str | None = None) -> list[FaultLine]:
    """Plugin failures from `start` to `end` (ms), of one station or of all, the most recent first."""
    columns = (fault.c.station, fault.c.plugin, fault.c.version, fault.c.place, fault.c.kind)
    last = func.max(fault.c.at)
    found = (
        select(*columns, func.count(), last)
        .where(fault.c.at >= start, fault.c.at < end)
        .group_by(*columns)
        .order_by(last.desc())
    )
    if station is not None:
        found = found.where(fault.c.station == station)
    return [FaultLine(*row) for row in conn.execute(found)]


def refusals(conn: Connection, station: str | None = None) -> list[RefusalLine]:
    """What was turned away, by reason and station, the most recent first; never the bytes themselves."""
    columns = (refusal.c.reason, refusal.c.station, refusal.c.n, refusal.c.last_at, refusal.c.problem)
    found = select(*columns).order_by(refusal.c.last_at.desc(), refusal.c.reason)
    if station is not None:
        found = found.where(refusal.c.station == station)
    return [RefusalLine(*row) for row in conn.execute(found)]
