"""Everything that stations said, raw and in the order of arrival; the oldest expire."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, case, delete, func, insert, select

from server.store.engine import bulk
from server.store.schema import horizon, message
from server.store.upsert import put

DAY_MS: Final = 24 * 3600 * 1000
KEEP_DAYS: Final = 400  # the same weekday a year ago stays comparable by recount

MESSAGES: Final = "messages"

#: stream, number, kind, valid, at, clock, received_at, body: as the table's columns stand.
MessageRow = tuple[int, int, str, bool, int, str, int, str]


def store(conn: Connection, rows: Sequence[MessageRow]) -> None:
    """Store messages through the driver's executemany."""
    bulk(conn, _INSERT, rows)


def expire(conn: Connection, now: int, keep_days: int = KEEP_DAYS) -> int:
    """Delete raw messages that arrived more than `keep_days` ago; rollups stay. How many."""
    # Rows stand in the order of arrival: this looks at no more of them than it then deletes.
    kept = select(message.c.id).where(message.c.received_at >= now - keep_days * DAY_MS)
    first = conn.scalar(kept.order_by(message.c.id).limit(1))
    old = delete(message)
    if first != conn.scalar(select(func.min(message.c.id))):
        put(conn, horizon, _later, what=MESSAGES, at=now - keep_days * DAY_MS)
    return conn.execute(old if first is None else old.where(message.c.id < first)).rowcount


def _later(new):  # type: ignore[no-untyped-def]  # a column collection, which SQLAlchemy leaves untyped
    return {"at": case((new.at > horizon.c.at, new.at), else_=horizon.c.at)}


def expired_before(conn: Connection) -> int:
    """All raw messages that arrived at this time (ms) or later are there; 0 if none has ever expired."""
    return conn.scalar(select(horizon.c.at).where(horizon.c.what == MESSAGES)) or 0


_INSERT = insert(message).values(
    {column.name: bindparam(column.name) for column in message.c if column.name != "id"}
)
