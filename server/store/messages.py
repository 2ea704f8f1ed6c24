"""Everything that stations said, raw and in order; whole days expire together."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, delete, insert

from server.store.engine import bulk
from server.store.schema import message

DAY_MS: Final = 24 * 3600 * 1000
KEEP_DAYS: Final = 400  # the same weekday a year ago stays comparable by recount

#: day, stream, number, kind, valid, at, clock, received_at, body: as the table's columns stand.
MessageRow = tuple[int, int, int, str, bool, int, str, int, str]


def store(conn: Connection, rows: Sequence[MessageRow]) -> None:
    """Store messages through the driver's executemany."""
    bulk(conn, _INSERT, rows)


def expire(conn: Connection, now: int, keep_days: int = KEEP_DAYS) -> int:
    """Delete raw messages that arrived more than `keep_days` ago; rollups stay. How many."""
    return conn.execute(delete(message).where(message.c.day < now // DAY_MS - keep_days)).rowcount


_INSERT = insert(message)
