"""Which run of a station wrote which part of a stream: what tells a copied disk from its original."""

import msgspec
from sqlalchemy import Connection, func, insert, select

from server.store.schema import part, stream


class Part(msgspec.Struct, frozen=True):
    """From number `first` on a stream was written by `run`, on a machine that was up since `boot`.

    `at` (ms) is when the first message of it arrived.
    """

    first: int
    run: str
    boot: str
    at: int


class Heard(msgspec.Struct, frozen=True):
    """One run of one stream of a station: the number it begins with, since when and until when (ms)."""

    stream: str
    first: int
    run: str
    boot: str
    since: int
    until: int


def last(conn: Connection, stream_id: int) -> Part | None:
    """The newest part of a stream."""
    found = conn.execute(_parts(stream_id).order_by(part.c.first.desc()).limit(1)).one_or_none()
    return None if found is None else Part(*found)


def behind(conn: Connection, stream_id: int, number: int) -> list[Part]:
    """The part that holds this number, and all after it, oldest first."""
    holding = select(func.max(part.c.first)).where(part.c.stream == stream_id, part.c.first <= number)
    since = func.coalesce(holding.scalar_subquery(), 0)
    found = _parts(stream_id).where(part.c.first >= since).order_by(part.c.first)
    return [Part(*row) for row in conn.execute(found)]


def earlier(conn: Connection, stream_id: int, run: str, boot: str) -> Part | None:
    """The newest part of this stream that this run wrote, or without a run this boot."""
    mine = part.c.run == run if run else part.c.boot == boot
    found = _parts(stream_id).where(mine).order_by(part.c.first.desc()).limit(1)
    row = conn.execute(found).one_or_none()
    return None if row is None else Part(*row)


def begin(conn: Connection, stream_id: int, new: Part) -> None:
    """Another run writes from here on."""
    conn.execute(insert(part).values(stream=stream_id, **msgspec.structs.asdict(new)))


def heard(conn: Connection, station: str) -> list[Heard]:
    """Everything that was heard of a station, stream by stream and run by run, the newest first."""
    columns = (
        stream.c.name,
        part.c.first,
        part.c.run,
        part.c.boot,
        part.c.at,
        stream.c.heard_at,
        stream.c.id,
    )
    found = select(*columns).join(stream, stream.c.id == part.c.stream).where(stream.c.station == station)
    runs: list[Heard] = []
    ended: dict[int, int] = {}
    for row in conn.execute(found.order_by(part.c.at.desc(), part.c.stream.desc(), part.c.first.desc())):
        until = ended.get(row.id, row.heard_at)
        runs.append(Heard(row.name, row.first, row.run, row.boot, row.at, until))
        ended[row.id] = row.at
    return runs


def _parts(stream_id: int):  # type: ignore[no-untyped-def]  # a select, whose type is its columns'
    columns = [part.c[name] for name in Part.__struct_fields__]
    return select(*columns).where(part.c.stream == stream_id)
