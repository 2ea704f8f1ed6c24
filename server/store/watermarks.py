"""Up to when each station has reported everything: moved by heartbeats alone, never back."""

from collections.abc import Iterable

from sqlalchemy import Connection, case, select

from server.store.schema import watermark
from server.store.upsert import upsert

#: station, complete_to, received_at, version, health (JSON)
Mark = tuple[str, int, int, str, str]


def move(conn: Connection, marks: Iterable[Mark]) -> None:
    """Heartbeats have arrived, and with them all that stood before them in their streams."""
    names = [column.name for column in watermark.c]
    rows = [dict(zip(names, mark, strict=True)) for mark in marks]
    if not rows:
        return
    old = watermark.c

    def newer(new):  # type: ignore[no-untyped-def]  # a column collection, which SQLAlchemy leaves untyped
        later = case((new.complete_to > old.complete_to, new.complete_to), else_=old.complete_to)
        return {**{name: new[name] for name in names[2:]}, "complete_to": later}

    conn.execute(upsert(conn, watermark, newer), rows)


def every(conn: Connection) -> dict[str, int]:
    """Station to the time (ms) up to which it is complete."""
    return {name: at for name, at in conn.execute(select(watermark.c.station, watermark.c.complete_to))}
