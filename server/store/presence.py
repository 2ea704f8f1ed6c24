"""Which stations are connected, as the broker and their frames say."""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, select

from server.store.schema import presence
from server.store.upsert import upsert


class Presence(msgspec.Struct, frozen=True):
    """`counter` rises with every connection of a station; `boot` names the run; `seen_at` in ms."""

    station: str
    online: bool
    counter: int
    boot: str
    seen_at: int

    def after(self, online: bool, counter: int, boot: str, now: int) -> "Presence":
        """This presence after a birth or a will. A will of an older connection changes nothing."""
        stale = counter < self.counter or (counter == self.counter and boot != self.boot)
        if not online and stale:
            return self
        return Presence(self.station, online, counter, boot, now if online else self.seen_at)

    def heard(self, now: int) -> "Presence":
        """This presence after a frame: who speaks is there."""
        return Presence(self.station, True, self.counter, self.boot, now)


def unknown(station: str) -> Presence:
    """Nothing was ever heard of it."""
    return Presence(station, False, 0, "", 0)


def every(conn: Connection) -> dict[str, Presence]:
    """All stations of which something was heard."""
    columns = [presence.c[name] for name in Presence.__struct_fields__]
    return {row.station: Presence(*row) for row in conn.execute(select(*columns))}


def store(conn: Connection, changed: Iterable[Presence]) -> None:
    """Keep what has changed."""
    rows = [msgspec.structs.asdict(each) for each in changed]
    if rows:
        conn.execute(upsert(conn, presence), rows)
