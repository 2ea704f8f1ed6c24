"""Events by hour, kept for ever; updated in the transaction that stores the events themselves."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, delete, select

from protocol.errors import EventError
from protocol.manifest import SHELL_EVENTS, EventField, Manifest
from protocol.messages import Event, decode
from server.store.schema import message, rollup, stream
from server.store.upsert import upsert

HOUR_MS: Final = 3600 * 1000
REMEMBERED: Final = 20_000  # different events whose check is remembered

#: hour (ms UTC), station, plugin, event, dims: the key of the table.
Key = tuple[int, str, str, str, str]


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
    names = [column.name for column in rollup.c]
    rows = [dict(zip(names, (*key, n), strict=True)) for key, n in counts.items()]
    if rows:
        conn.execute(upsert(conn, rollup, lambda new: {"n": rollup.c.n + new.n}), rows)


def recount(conn: Connection, manifests: Mapping[str, Manifest]) -> Counter[Key]:
    """The rollups as the raw events still stored give them: for checks and repair."""
    dims, counts = Dims(manifests), Counter[Key]()
    found = (
        select(stream.c.station, message.c.at, message.c.body)
        .join(stream, stream.c.id == message.c.stream)
        .where(message.c.kind == "event", message.c.valid)
    )
    for station, at, body in conn.execute(found):
        event = decode(body.encode())
        if isinstance(event, Event):
            counts[at - at % HOUR_MS, station, event.plugin, event.name, dims.of(event)] += 1
    return counts


def stored(conn: Connection) -> Counter[Key]:
    """The rollups as the table has them."""
    return Counter({(*key,): n for *key, n in conn.execute(select(rollup))})


def replace(conn: Connection, counts: Counter[Key]) -> None:
    """Put these counts in place of all there are, for the hours from the first of them on."""
    if counts:
        conn.execute(delete(rollup).where(rollup.c.hour >= min(key[0] for key in counts)))
    add(conn, counts)


def _kept(fields: Mapping[str, EventField]) -> tuple[str, ...]:
    return tuple(sorted(name for name, field in fields.items() if field.type in ("choice", "flag")))
