"""Events by hour, kept for ever; updated in the transaction that stores the events themselves."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection, Insert, delete, select

from protocol.errors import EventError
from protocol.manifest import SHELL_EVENTS, EventField, Manifest
from protocol.messages import Event, decode
from server.store.engine import bulk
from server.store.messages import expired_before
from server.store.schema import message, rollup, stream
from server.store.upsert import upsert

HOUR_MS: Final = 3600 * 1000
REMEMBERED: Final = 20_000  # different events whose check is remembered

#: hour (ms UTC), station, plugin, event, dims: the key of the table.
Key = tuple[int, str, str, str, str]


#: The statement of `add` for each kind of database.
_ADD: Final[dict[str, Insert]] = {}


class Dims:
    """Checks events by their manifests, and gives the part of their fields that rollups keep."""

    def __init__(self, manifests: Mapping[str, Manifest]) -> None:
        self._manifests = manifests
        self._known: dict[tuple[str, str, str], str] = {}

    def of(self, event: Event) -> str:
        """An event's choices and flags as canonical JSON; EventError if it is not declared like this.

        Most events are like one before, so answers are remembered, by the fields' repr: to a dict's own
        keys True and 1 are the same.
        """
        key = (event.plugin, event.name, repr(event.d))
        dims = self._known.get(key)
        if dims is None:
            dims = self._check(event)
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[key] = dims
        return dims

    def _check(self, event: Event) -> str:
        manifest = self._manifests.get(event.plugin)
        if manifest is None:
            raise EventError(f"there is no plugin '{event.plugin}' here", plugin=event.plugin)
        manifest.check_event(event.name, event.d)
        declared = SHELL_EVENTS.get(event.name) or manifest.events.get(event.name, {})
        kept = {name: event.d[name] for name in _kept(declared) if name in event.d}
        return json.dumps(kept, ensure_ascii=False, separators=(",", ":"))


def add(conn: Connection, counts: Mapping[Key, int]) -> None:
    """Add counts to their hours."""
    dialect = conn.dialect.name
    if dialect not in _ADD:
        _ADD[dialect] = upsert(conn, rollup, lambda new: {"n": rollup.c.n + new.n})
    # In the order of the table, so that neighbours are written together.
    bulk(conn, _ADD[dialect], [(*key, n) for key, n in sorted(counts.items())])


class Recount(msgspec.Struct, frozen=True):
    """The hourly numbers from hour `before` on, as raw events give them and as the table has them.

    Of earlier hours raw events have expired; `older` numbers of them are not compared. `unknown` counts
    events (plugin, name) that were declared when they came and are in no manifest here: their numbers are
    not compared either.
    """

    counted: Counter[Key]
    stored: Counter[Key]
    before: int
    older: int
    unknown: Counter[tuple[str, str]]

    @property
    def differing(self) -> set[Key]:
        """Which numbers differ."""
        keys = self.counted.keys() | self.stored.keys()
        return {
            key
            for key in keys
            if self.counted[key] != self.stored[key] and (key[2], key[3]) not in self.unknown
        }


def recount(conn: Connection, manifests: Mapping[str, Manifest]) -> Recount:
    """Count the raw events that are still stored, in a snapshot or a transaction of the caller's."""
    dims, counted, unknown = Dims(manifests), Counter[Key](), Counter[tuple[str, str]]()
    # What happened after the time of what has expired cannot have arrived before it.
    horizon = expired_before(conn)
    before = -(-horizon // HOUR_MS) * HOUR_MS
    found = (
        select(stream.c.station, message.c.at, message.c.body)
        .join(stream, stream.c.id == message.c.stream)
        .where(message.c.kind == "event", message.c.valid, message.c.at >= before)
    )
    for station, at, body in conn.execute(found.execution_options(yield_per=1000)):
        event = decode(body.encode())
        if not isinstance(event, Event):
            continue
        try:
            counted[at - at % HOUR_MS, station, event.plugin, event.name, dims.of(event)] += 1
        except EventError:
            unknown[event.plugin, event.name] += 1
    there = stored(conn)
    recent = Counter({key: n for key, n in there.items() if key[0] >= before})
    return Recount(counted, recent, before, len(there) - len(recent), unknown)


def repair(conn: Connection, manifests: Mapping[str, Manifest]) -> Recount:
    """Put what is counted in the place of the numbers that differ; what differed."""
    found = recount(conn, manifests)
    for key in found.differing:
        here = (column == value for column, value in zip(rollup.primary_key.columns, key, strict=True))
        conn.execute(delete(rollup).where(*here))
    add(conn, {key: n for key in found.differing if (n := found.counted[key])})
    return found


def stored(conn: Connection) -> Counter[Key]:
    """The rollups as the table has them."""
    return Counter({(*key,): n for *key, n in conn.execute(select(rollup))})


def _kept(fields: Mapping[str, EventField]) -> tuple[str, ...]:
    return tuple(sorted(name for name, field in fields.items() if field.type in ("choice", "flag")))
