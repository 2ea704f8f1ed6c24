"""Events by hour, kept for ever; updated in the transaction that stores the events themselves."""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, delete, select

from protocol.manifest import SHELL_EVENTS, EventField, Manifest
from protocol.messages import Event, decode
from server.store.schema import message, rollup, stream
from server.store.upsert import upsert

HOUR_MS: Final = 3600 * 1000

#: hour (ms UTC), station, plugin, event, dims: the key of the table.
Key = tuple[int, str, str, str, str]


class Dims:
    """The part of an event's fields that rollups keep, as canonical JSON: its choices and flags."""

    def __init__(self, manifests: Mapping[str, Manifest]) -> None:
        self._fields: dict[tuple[str, str], tuple[str, ...]] = {}
        for manifest in manifests.values():
            for name, fields in {**SHELL_EVENTS, **manifest.events}.items():
                self._fields[manifest.id, name] = _kept(fields)
        self._text: dict[tuple[object, ...], str] = {}

    def of(self, event: Event) -> str:
        """The canonical JSON for a valid event."""
        names = self._fields[event.plugin, event.name]
        # True and 1 are one key to a dict; fields have one type each, so here they never meet.
        key = (names, *(event.d.get(name) for name in names))
        text = self._text.get(key)
        if text is None:
            kept = {name: event.d[name] for name in names if name in event.d}
            text = self._text[key] = json.dumps(kept, ensure_ascii=False, separators=(",", ":"))
        return text


def add(conn: Connection, counts: Counter[Key]) -> None:
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
