"""What the database is made of, kept beside it: with it a lost first page costs none of the other pages."""

import contextlib
import logging
import os
import sqlite3
import zlib
from pathlib import Path
from typing import Final

import msgspec

log = logging.getLogger(__name__)

STEPS: Final = "_sqlite_migrations"


class Part(msgspec.Struct, frozen=True):
    """A row of SQLite's own table: `kind` is table, index, ...; `root` its first page; `sql` made it."""

    kind: str
    name: str
    table: str
    root: int
    sql: str


class Blueprint(msgspec.Struct, frozen=True):
    """All parts, by SQLite's counter of their changes, and the migration steps that were taken: set, name."""

    version: int = 0
    parts: tuple[Part, ...] = ()
    steps: tuple[tuple[str, str], ...] = ()


_decoder: Final = msgspec.json.Decoder(Blueprint)


def version(conn: sqlite3.Connection) -> int:
    """Moves with every change of a table's definition."""
    return int(conn.execute("PRAGMA schema_version").fetchone()[0])


def of(conn: sqlite3.Connection) -> Blueprint:
    """The blueprint of an open database."""
    query = "SELECT type, name, tbl_name, rootpage, sql FROM sqlite_master WHERE sql IS NOT NULL"
    parts = tuple(Part(*row) for row in conn.execute(query))
    steps: list[tuple[str, str]] = []
    if any(part.name == STEPS for part in parts):
        steps = conn.execute(f"SELECT migration_set, name FROM {STEPS} ORDER BY rowid").fetchall()
    return Blueprint(version(conn), parts, tuple(steps))


def is_sound(found: Blueprint) -> bool:
    """Whether each part is what its own words make."""
    return all(part.name in part.sql and part.table in part.sql for part in found.parts)


def is_spoilt(found: Blueprint, kept: Blueprint) -> bool:
    """Whether the words of a database are no longer those that it was made by.

    It may also be another one than the kept blueprint is of, such as one restored without it. Then it has
    other parts, or the same in other places.
    """
    if found.version != kept.version or found.parts == kept.parts:
        return False
    return {_place(part) for part in found.parts} == {_place(part) for part in kept.parts}


def is_other(found: Blueprint, kept: Blueprint) -> bool:
    """Whether what was read of a database, perhaps not all of it, is that of another than the kept one's."""
    known = {part.name: _place(part) for part in kept.parts}
    strange = [part for part in found.parts if part.name not in known]
    moved = [part for part in found.parts if known.get(part.name, _place(part)) != _place(part)]
    # One that has moved may be a flipped bit.
    return is_sound(found) and (bool(strange) or len(moved) > 1)


def _place(part: Part) -> tuple[str, str, str, int]:
    return part.kind, part.name, part.table, part.root


def load(path: Path) -> Blueprint | None:
    """The blueprint kept in a file, None if there is no whole one."""
    try:
        data = path.read_bytes()
        if zlib.crc32(data[4:]).to_bytes(4) == data[:4]:
            return _decoder.decode(data[4:])
    except (OSError, msgspec.DecodeError):
        pass
    return None


def save(path: Path, blueprint: Blueprint) -> None:
    """Keep a blueprint; rather none than an old one."""
    data = msgspec.json.encode(blueprint)
    aside = path.with_name(path.name + ".part")
    try:
        with open(aside, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(zlib.crc32(data).to_bytes(4) + data)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as err:
        log.warning("the blueprint of the database is not kept: %s", err)
        for each in (aside, path):
            with contextlib.suppress(OSError):
                each.unlink()
