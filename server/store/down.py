"""What headquarters says to each station: one durable numbered stream per station."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, insert, literal, select, update

from protocol.messages import Down, encode
from server.store.engine import bulk
from server.store.schema import down_message, down_stream

KEEP_MS: Final = 7 * 24 * 3600 * 1000


class Head(msgspec.Struct, frozen=True):
    """A station's stream down: its name, the newest number, and the station's ack."""

    station: str
    name: str
    last: int
    acked: int


class Row(msgspec.Struct, frozen=True):
    """One message: its number, its JSON, and the run of the collector that said it."""

    number: int
    body: bytes
    run: str


def begin(conn: Connection, station: str) -> None:
    """Give a station its stream, unless it has one; done at claiming."""
    if conn.scalar(select(down_stream.c.station).where(down_stream.c.station == station)) is None:
        conn.execute(insert(down_stream).values(station=station, name=_name(), last=0, acked=0))


def head(conn: Connection, station: str) -> Head:
    """The stream of a claimed station."""
    columns = (down_stream.c.station, down_stream.c.name, down_stream.c.last, down_stream.c.acked)
    return Head(*conn.execute(select(*columns).where(down_stream.c.station == station)).one())


def append(conn: Connection, station: str, messages: Sequence[Down], now: int, run: str) -> int:
    """Store messages for one claimed station; the newest number of its stream."""
    # The update comes first: it locks the row, so that numbers have no gaps and no twins.
    conn.execute(
        update(down_stream)
        .where(down_stream.c.station == station)
        .values(last=down_stream.c.last + len(messages))
    )
    last = conn.scalar(select(down_stream.c.last).where(down_stream.c.station == station)) or 0
    first = last - len(messages) + 1
    rows = [(station, first + i, encode(each).decode(), now, run) for i, each in enumerate(messages)]
    bulk(conn, _INSERT, rows)
    return last


def append_to(
    conn: Connection, stations: Iterable[str], message: Down, now: int, run: str = ""
) -> dict[str, int]:
    """Store one message for many claimed stations; station to the newest number of its stream."""
    chosen = down_stream.c.station.in_(list(stations))
    conn.execute(update(down_stream).where(chosen).values(last=down_stream.c.last + 1))
    body = literal(encode(message).decode())
    source = select(down_stream.c.station, down_stream.c.last, body, literal(now), literal(run)).where(chosen)
    conn.execute(insert(down_message).from_select(["station", "number", "body", "stored_at", "run"], source))
    found = conn.execute(select(down_stream.c.station, down_stream.c.last).where(chosen))
    return {station: last for station, last in found}


def read(conn: Connection, station: str, first: int, limit: int) -> list[Row]:
    """Up to `limit` messages from number `first` on."""
    found = (
        select(down_message.c.number, down_message.c.body, down_message.c.run)
        .where(down_message.c.station == station, down_message.c.number >= first)
        .order_by(down_message.c.number)
        .limit(limit)
    )
    return [Row(number, body.encode(), run) for number, body, run in conn.execute(found)]


def writer(conn: Connection, station: str, number: int) -> str | None:
    """The run that said this message; None if there is none of this number."""
    here = (down_message.c.station == station, down_message.c.number == number)
    return conn.scalar(select(down_message.c.run).where(*here))


def waiting(conn: Connection) -> list[Head]:
    """Streams with messages that their stations have not acknowledged."""
    columns = (down_stream.c.station, down_stream.c.name, down_stream.c.last, down_stream.c.acked)
    return [
        Head(*row) for row in conn.execute(select(*columns).where(down_stream.c.last > down_stream.c.acked))
    ]


def acknowledged(conn: Connection, station: str, upto: int, back: bool = False) -> None:
    """A station owns its stream up to this number; with `back` no longer what is behind it."""
    mine = update(down_stream).where(down_stream.c.station == station)
    # Another collector may have heard of more since.
    conn.execute((mine if back else mine.where(down_stream.c.acked < upto)).values(acked=upto))


def restart(conn: Connection, station: str, now: int, after: int) -> Head:
    """A new stream with what stands behind number `after`; what stands before it is the station's already.

    Needed when a station owns other messages under our numbers, or numbers that were never given out here:
    this database was restored from an older backup.
    """
    old = head(conn, station)
    left = read(conn, station, after + 1, old.last)
    conn.execute(delete(down_message).where(down_message.c.station == station))
    conn.execute(
        update(down_stream)
        .where(down_stream.c.station == station)
        .values(name=_name(), last=len(left), acked=0)
    )
    bulk(conn, _INSERT, [(station, i, row.body.decode(), now, row.run) for i, row in enumerate(left, 1)])
    return head(conn, station)


def prune(conn: Connection, now: int) -> int:
    """Let go of acknowledged messages older than 7 days; how many."""
    acked = (
        select(down_stream.c.acked).where(down_stream.c.station == down_message.c.station).scalar_subquery()
    )
    done = conn.execute(
        delete(down_message).where(down_message.c.stored_at < now - KEEP_MS, down_message.c.number <= acked)
    )
    return done.rowcount


def _name() -> str:
    return secrets.token_hex(12)


_INSERT = insert(down_message)
