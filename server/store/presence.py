"""Which stations are connected, as the broker and their frames say."""

from collections.abc import Iterable, Mapping

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

    def after(self, online: bool, counter: int, boot: str, now: int, retained: bool = False) -> "Presence":
        """This presence after a birth or a will. A will of an older connection changes nothing.

        It is older by its counter; or by its boot, as a younger boot's birth would have been heard before it.
        Only what the broker has retained is heard without what came before it.
        """
        stale = counter < self.counter if boot == self.boot else self.counter > 0 and not retained
        if not online and stale:
            return self
        return Presence(self.station, online, counter, boot, now if online else self.seen_at)


def unknown(station: str) -> Presence:
    """Nothing was ever heard of it."""
    return Presence(station, False, 0, "", 0)


def every(conn: Connection) -> dict[str, Presence]:
    """All stations of which something was heard."""
    columns = [presence.c[name] for name in Presence.__struct_fields__]
    return {row.station: Presence(*row) for row in conn.execute(select(*columns))}


def of(conn: Connection, stations: Iterable[str]) -> dict[str, Presence]:
    """These stations, also those of which nothing was heard."""
    chosen = list(stations)
    columns = [presence.c[name] for name in Presence.__struct_fields__]
    found = conn.execute(select(*columns).where(presence.c.station.in_(chosen)))
    known = {row.station: Presence(*row) for row in found}
    return {station: known.get(station) or unknown(station) for station in chosen}


def heard(conn: Connection, stations: Mapping[str, int]) -> None:
    """Who speaks is there, whether or not its birth was heard: station to the time of its frame."""
    rows = [msgspec.structs.asdict(Presence(station, True, 0, "", at)) for station, at in stations.items()]
    if rows:
        conn.execute(upsert(conn, presence, lambda new: {"online": True, "seen_at": new.seen_at}), rows)


def store(conn: Connection, changed: Iterable[Presence]) -> None:
    """Keep what has changed."""
    rows = [msgspec.structs.asdict(each) for each in changed]
    if rows:
        conn.execute(upsert(conn, presence), rows)
