"""How far each stream of each station is stored. The cursor moves by compare-and-set, so that several
collectors may race: one wins, the other reads again."""

from collections.abc import Iterable
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, func, insert, select, update

from server.store import parts
from server.store.engine import bulk
from server.store.parts import Part
from server.store.schema import lost, message, stream


class Cursor(msgspec.Struct):
    """One stream: its row, the last number stored, and what its times are judged by.

    `part` is the newest of its parts, remembered as nearly every frame goes on with it.
    """

    id: int
    station: str
    name: str
    upto: int
    boot: str
    last_at: int
    heard_at: int
    part: Part | None = None


class Raced(Exception):
    """Another collector has moved a cursor; nothing of this transaction may be committed."""


def find(conn: Connection, station: str, name: str) -> Cursor | None:
    """The cursor of this stream, or None if the stream was never seen."""
    here = (stream.c.station == station, stream.c.name == name)
    found = conn.execute(select(*_COLUMNS).where(*here)).one_or_none()
    if found is None:
        return None
    cursor = Cursor(*found)
    cursor.part = parts.last(conn, cursor.id)
    return cursor


def get(conn: Connection, stream_id: int) -> Cursor:
    """The cursor of a stream that is there."""
    return Cursor(*conn.execute(select(*_COLUMNS).where(stream.c.id == stream_id)).one())


def newest(conn: Connection, above: int) -> dict[str, int]:
    """Station to its newest stream, of those whose row is above this one."""
    found = select(stream.c.station, func.max(stream.c.id)).where(stream.c.id > above)
    return {station: id_ for station, id_ in conn.execute(found.group_by(stream.c.station))}


def latest(conn: Connection, station: str, but: int) -> Cursor | None:
    """The stream of a station that was heard last, beside this one; None if there is no other."""
    others = select(*_COLUMNS).where(stream.c.station == station, stream.c.id != but, stream.c.upto > 0)
    found = conn.execute(others.order_by(stream.c.heard_at.desc(), stream.c.id.desc()).limit(1)).one_or_none()
    return None if found is None else Cursor(*found)


def first_at(conn: Connection, stream_id: int) -> int:
    """When a stream was first heard (ms)."""
    return conn.scalar(select(stream.c.first_at).where(stream.c.id == stream_id)) or 0


def owner(conn: Connection, name: str) -> str | None:
    """Which station a stream of this name belongs to, or None."""
    return conn.scalar(select(stream.c.station).where(stream.c.name == name))


def begin(conn: Connection, station: str, name: str, floor: int, now: int) -> Cursor:
    """Note a new stream, with nothing stored yet."""
    done = conn.execute(
        insert(stream).values(
            station=station, name=name, upto=0, boot="", first_at=now, last_at=floor, heard_at=now
        )
    )
    assert done.inserted_primary_key is not None
    return Cursor(done.inserted_primary_key[0], station, name, 0, "", floor, now)


def advance(conn: Connection, moves: Iterable[tuple[Cursor, int]]) -> None:
    """Move cursors on from the number they were read at; Raced if any stands elsewhere by now."""
    rows = [
        (cursor.upto, cursor.boot, cursor.last_at, cursor.heard_at, cursor.id, before)
        for cursor, before in moves
    ]
    if bulk(conn, _ADVANCE, rows) != len(rows):
        raise Raced


def record_lost(conn: Connection, cursor: Cursor, first: int, last: int, now: int) -> None:
    """The sender has let numbers `first`..`last` go for good."""
    conn.execute(insert(lost).values(stream=cursor.id, first=first, last=last, at=now))


def lost_messages(conn: Connection) -> dict[str, int]:
    """How many messages of each station are lost for good."""
    n = func.sum(lost.c.last - lost.c.first + 1)
    found = select(stream.c.station, n).join(stream, stream.c.id == lost.c.stream).group_by(stream.c.station)
    return {station: int(count) for station, count in conn.execute(found)}


def stored_messages(conn: Connection, station: str) -> int:
    """How many messages of a station are stored raw."""
    found = (
        select(func.count())
        .select_from(message)
        .join(stream, stream.c.id == message.c.stream)
        .where(stream.c.station == station)
    )
    return conn.scalar(found) or 0


_COLUMNS: Final = [
    stream.c[each] for each in ("id", "station", "name", "upto", "boot", "last_at", "heard_at")
]
_ADVANCE = (
    update(stream)
    .values(
        upto=bindparam("b_upto"),
        boot=bindparam("b_boot"),
        last_at=bindparam("b_last_at"),
        heard_at=bindparam("b_heard_at"),
    )
    .where(stream.c.id == bindparam("b_id"), stream.c.upto == bindparam("b_before"))
)
