"""The simulated stations in headquarters' database: made, found again, removed."""

import json
import os
import re
import secrets
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, delete, func, select

from server.errors import Refused
from server.simulate.station import Standing
from server.store import Store, audit, changes, stations
from server.store.content import remove as remove_content
from server.store.schema import down_stream, message, metadata, station, stream

FILE: Final = "simulated.json"  # beside the database: the broker passwords of the stations made here
WHO: Final = "simulate"
MADE_AT_ONCE: Final = 50  # in one transaction, about half a second
YIELD_S: Final = 0.12  # between transactions: who waits for SQLite's lock looks every 0.1 s, and must get it
REMOVED_AT_ONCE: Final = 200  # stations
DELETED_AT_ONCE: Final = 100_000  # rows of messages

_NAME: Final = re.compile(r"sim-\d{4}")

Say = Callable[[str], None]


def name(number: int) -> str:
    """The id of the n-th simulated station, from 1 on."""
    return f"sim-{number:04d}"


def enrol(store: Store, count: int, now: int, say: Say) -> dict[str, str]:
    """The first `count` simulated stations with their broker passwords; made and claimed where missing."""
    known = _known(store)
    with store.read() as conn:
        there = {each.id: each for each in stations.every(conn)}
    names = [name(number) for number in range(1, count + 1)]
    for each in names:
        if each in there and there[each].name != _title(each):
            raise Refused(f"The station '{each}' is there and is no simulated one; nothing was done.")
    missing = [each for each in names if each not in known or each not in there or not there[each].active]
    for start in range(0, len(missing), MADE_AT_ONCE):
        part = missing[start : start + MADE_AT_ONCE]
        with store.write() as conn:
            for each in part:
                if each in there:
                    code = stations.new_code(conn, each, now)
                else:
                    code = stations.add(conn, each, name=_title(each), number=each.upper(), now=now)
                known[each] = stations.claim(conn, code, now).mqtt_password
            audit.record(conn, WHO, "station.add", part[0], now, after={"stations": len(part)})
            # Before the commit: a password that opens nothing does no harm, a lost one costs a new claim.
            _keep(store, known)
        time.sleep(YIELD_S)
        say(f"{start + len(part)} of {len(missing)} new stations are claimed")
    return {each: known[each] for each in names}


def standings(conn: Connection, names: Collection[str]) -> dict[str, Standing]:
    """How far headquarters has each station's streams; one that never spoke begins a stream."""
    newest = select(func.max(stream.c.id)).where(stream.c.station.in_(names)).group_by(stream.c.station)
    up = {
        row.station: (row.name, row.upto)
        for row in conn.execute(
            select(stream.c.station, stream.c.name, stream.c.upto).where(stream.c.id.in_(newest))
        )
    }
    down = {
        row.station: (row.name, row.acked)
        for row in conn.execute(select(down_stream).where(down_stream.c.station.in_(names)))
    }
    return {
        each: Standing(*up.get(each, (secrets.token_hex(8), 0)), *down.get(each, ("", 0))) for each in names
    }


def owed(conn: Connection, names: Collection[str]) -> int:
    """How many messages headquarters has for these stations that they have not acknowledged."""
    waiting = func.sum(down_stream.c.last - down_stream.c.acked)
    return conn.scalar(select(waiting).where(down_stream.c.station.in_(names))) or 0


def remove(store: Store, now: int, say: Say) -> int:
    """Take every simulated station out of the database, with all that it ever said; how many there were."""
    with store.write() as conn:
        every = sorted(
            each.id
            for each in stations.every(conn)
            if _NAME.fullmatch(each.id) and each.name == _title(each.id)
        )
        for each in every:
            stations.revoke(conn, each, now)  # nothing may arrive from here on
        if every:
            audit.record(conn, WHO, "station.remove", every[0], now, before={"stations": len(every)})
    if every:
        _remove_messages(store, every, say)
    for start in range(0, len(every), REMOVED_AT_ONCE):
        part = every[start : start + REMOVED_AT_ONCE]
        with store.write() as conn:
            for each in part:
                remove_content(conn, stations.PROFILE, [each], scope=each, now=now)
            for table in reversed(metadata.sorted_tables):
                _remove_rows(conn, table, part)
            conn.execute(delete(station).where(station.c.id.in_(part)))
            changes.bump(conn, "stations")
        time.sleep(YIELD_S)
    _path(store).unlink(missing_ok=True)
    return len(every)


def _remove_messages(store: Store, names: Collection[str], say: Say) -> None:
    """The raw messages, as many at once as headquarters can wait for: their table has no index to go by."""
    with store.read() as conn:
        newest = conn.scalar(select(func.max(message.c.id))) or 0
    ours = select(stream.c.id).where(stream.c.station.in_(names))
    for low in range(0, newest + 1, DELETED_AT_ONCE):
        with store.write() as conn:
            rows = message.c.id.between(low, low + DELETED_AT_ONCE - 1)
            conn.execute(delete(message).where(rows, message.c.stream.in_(ours)))
        time.sleep(YIELD_S)
    say(f"what {len(names)} stations said is deleted")


def _remove_rows(conn: Connection, table: Table, names: Collection[str]) -> None:
    """Rows that belong to these stations or to their streams, whatever the table is about."""
    if table is message or table is station:
        return
    if "station" in table.c:
        conn.execute(delete(table).where(table.c.station.in_(names)))
    elif "stream" in table.c:
        ours = select(stream.c.id).where(stream.c.station.in_(names))
        conn.execute(delete(table).where(table.c.stream.in_(ours)))


def _title(each: str) -> str:
    return f"Simulated {each[-4:]}"


def _path(store: Store) -> Path:
    return store.data_dir / FILE


def _known(store: Store) -> dict[str, str]:
    try:
        found: dict[str, str] = json.loads(_path(store).read_text(encoding="ascii"))
    except FileNotFoundError:
        return {}
    return found


def _keep(store: Store, passwords: dict[str, str]) -> None:
    """Write the passwords in one step, readable to us alone."""
    path = _path(store)
    aside = path.with_suffix(".new")
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(passwords, out)
    aside.replace(path)
