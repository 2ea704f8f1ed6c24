"""What can still be read of a damaged database goes into a new one.

Rows of the stream up prove themselves by their checksum, wherever they lie. Of other tables only pages are
taken that are whole; a plugin's tables come back as they were, together with the list of the steps that made
them, for else the steps would be taken again.
"""

import contextlib
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from kiosk import blueprint
from kiosk.blueprint import STEPS, Blueprint, Part
from kiosk.database_file import is_transient
from kiosk.handle import Handle
from kiosk.pages import Image, Row, Unreadable
from kiosk.row import checksum

if TYPE_CHECKING:
    import sqlite_utils

log = logging.getLogger(__name__)

#: Seconds after which what is oldest or least needed stays behind: the supervisor does not wait for ever.
PATIENCE: Final = 15.0
STREAM: Final = "_stream_up"
#: Columns of a row of the stream up, as the migrations have added them.
COLUMNS: Final = ("number", "at", "boot", "body", "request", "run", "total", "checksum")
#: What the station cannot get from anywhere else comes first, what headquarters sends again comes last.
LAST: Final = ("_content",)


def salvage(old: Path, new: Path, prepare: "Callable[[sqlite_utils.Database], object]", note: str) -> None:
    """Write `new`, whole and flushed, from what is readable of `old`; `note` tells the outbox about it.

    Raises what SQLite or the machine raises when `new` cannot be written, or `old` cannot be opened.
    """
    new.unlink(missing_ok=True)
    began = time.monotonic()
    image = Image(old)
    plan = _plan(image, blueprint.load(old.with_name(old.name + ".blueprint")))
    conn = sqlite3.connect(new)
    try:
        # Nobody else sees this file until it is whole.
        conn.execute("PRAGMA journal_mode=MEMORY")
        conn.execute("PRAGMA synchronous=OFF")
        prepare(cast("sqlite_utils.Database", Handle(conn)))
        conn.execute("BEGIN")
        counts = _Rescue(image, plan, conn, began + PATIENCE).run()
        conn.execute("INSERT OR REPLACE INTO _meta (key, value) VALUES ('salvaged', ?)", [note])
        conn.execute("COMMIT")
    finally:
        conn.close()
    with open(new, "rb+") as file:
        os.fsync(file.fileno())
    log.warning("salvaged in %.1f s: %s", time.monotonic() - began, counts)


def _plan(image: Image, kept: Blueprint | None) -> Blueprint:
    """The blueprint kept beside the file, and what the file's own first page still says.

    A blueprint of another database names the wrong pages and the wrong steps, so none of it is taken.
    """
    found: list[Part] = []
    with contextlib.suppress(Unreadable):
        for _, row in image.rows(1, set()):
            match row:
                case [str(kind), str(name), str(table), int(root), str(sql)]:
                    found.append(Part(kind, name, table, root, sql))
    if kept is None or blueprint.is_other(Blueprint(0, tuple(found)), kept):
        return Blueprint(0, tuple(found))
    parts = {part.name: part for part in [*found, *kept.parts]}
    return Blueprint(0, tuple(parts.values()), kept.steps)


class _Rescue:
    def __init__(self, image: Image, plan: Blueprint, conn: sqlite3.Connection, until: float) -> None:
        self._image, self._plan, self._conn, self._until = image, plan, conn, until
        self._seen: set[int] = set()
        self._ours = {name for (name,) in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}

    def run(self) -> dict[str, int]:
        """The number of rows brought back of each table."""
        tables = {part.name: part for part in self._plan.parts if part.kind == "table"}
        counts = {STREAM: self._stream(tables.get(STREAM))}
        steps = self._steps(tables.get(STEPS))
        for name in sorted(tables, key=lambda name: (name in LAST, name)):
            if (
                name in (STREAM, STEPS)
                or name.startswith("sqlite_")
                or (name not in self._ours and not steps)
            ):
                continue
            if time.monotonic() > self._until:
                log.error("no time is left to salvage %s", name)
                continue
            try:
                counts[name] = self._table(tables[name])
            except sqlite3.Error as err:
                if is_transient(err):
                    raise
                log.error("%s is not salvaged: %s", name, err)
        return counts

    def _stream(self, part: Part | None) -> int:
        found: dict[int, list[Any]] = {}
        sources = [(self._image.orphans(self._seen), True)]
        if part is not None:
            sources.insert(0, (self._image.rows(part.root, self._seen, strict=False), False))
        for rows, proof in sources:
            for count, row in enumerate(rows):
                _take(row, found, proof)
                if count % 1000 == 0 and time.monotonic() > self._until:
                    log.error("no time is left to salvage older messages than %d", row[0])
                    break
        places = ", ".join("?" * len(COLUMNS))
        self._conn.executemany(
            f"INSERT INTO {STREAM} ({', '.join(COLUMNS)}) VALUES ({places})", _in_order(found)
        )
        return len(found)

    def _steps(self, part: Part | None) -> set[tuple[str, str]]:
        """The migration steps that were taken, by who read them: the table itself, or the blueprint."""
        steps = dict.fromkeys(self._plan.steps)
        if part is not None:
            names = _columns(part.sql)
            for _, values in self._image.rows(part.root, self._seen):
                known = dict(zip(names, values, strict=False))
                match known.get("migration_set"), known.get("name"):
                    case str(owner), str(name):
                        steps[owner, name] = None
        for owner, name in steps:
            # The core's own were taken just now.
            self._conn.execute(
                f"INSERT INTO {STEPS} (migration_set, name, applied_at) SELECT ?1, ?2, ?3 WHERE NOT EXISTS"
                f" (SELECT 1 FROM {STEPS} WHERE migration_set = ?1 AND name = ?2)",
                [owner, name, time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime())],
            )
        return set(steps)

    def _table(self, part: Part) -> int:
        if part.name not in self._ours:
            self._conn.execute(part.sql)
            for other in self._plan.parts:
                if other.table == part.name and other.kind != "table":
                    self._conn.execute(other.sql)
        names, rowid = _columns(part.sql), _rowid(part.sql)
        count = 0
        for number, values in self._image.rows(part.root, self._seen):
            row = dict(zip(names, values, strict=False))
            if len(row) < len(values) or not _sane(part.name, row):
                continue
            if rowid is not None:
                row[rowid] = number
            places = ", ".join("?" * len(row))
            columns = ", ".join(f'"{name}"' for name in row)
            with contextlib.suppress(sqlite3.IntegrityError):
                done = self._conn.execute(
                    f'INSERT OR IGNORE INTO "{part.name}" ({columns}) VALUES ({places})', list(row.values())
                )
                count += done.rowcount
        return count


def _take(row: Row, found: dict[int, list[Any]], proof: bool) -> None:
    """Keep a row of the stream up if it is one: by its checksum, or, without one, if it can be read."""
    number, values = row
    match values:
        case [None, int(at), str(boot), bytes(body), request, str(run), int(), int(given)]:
            if not isinstance(request, str | None) or given != checksum(number, at, boot, run, request, body):
                return
            found.setdefault(number, [number, at, boot, body, request, run, 0, given])
        case [None, int(at), str(boot), bytes(body), *rest] if not proof and rest in ([], [None], rest[:1]):
            from protocol import messages

            request = rest[0] if rest and isinstance(rest[0], str) else None
            if number > 0 and not isinstance(messages.decode(body), messages.Unknown):
                found.setdefault(number, [number, at, boot, body, request, "", 0, None])


def _in_order(found: dict[int, list[Any]]) -> Iterator[list[Any]]:
    total = 0
    for _, row in sorted(found.items()):
        total += len(row[3])
        row[6] = total
        yield row


def _sane(table: str, row: dict[str, Any]) -> bool:
    """Whether what the core itself reads at its start is of the type that it expects."""
    if table == "_meta":
        return isinstance(row.get("key"), str) and isinstance(row.get("value"), str | int)
    return True


def _columns(sql: str) -> list[str]:
    """The columns of a table in the order in which its rows hold them."""
    with contextlib.closing(sqlite3.connect(":memory:")) as scratch:
        scratch.execute(sql)
        columns = [(row[1], row[5]) for row in _described(scratch)]
        if _without_rowid(scratch):
            keys = sorted((place, name) for name, place in columns if place)
            return [name for _, name in keys] + [name for name, place in columns if not place]
        return [name for name, _ in columns]


def _rowid(sql: str) -> str | None:
    """The column by which the number of a row goes, None in a table without."""
    with contextlib.closing(sqlite3.connect(":memory:")) as scratch:
        scratch.execute(sql)
        if _without_rowid(scratch):
            return None
        keys = [(name, kind) for _, name, kind, _, _, place in _described(scratch) if place]
        return keys[0][0] if len(keys) == 1 and keys[0][1].upper() == "INTEGER" else "rowid"


def _described(scratch: sqlite3.Connection) -> Iterable[tuple[Any, ...]]:
    name = scratch.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchone()[0]
    return scratch.execute(f'PRAGMA table_info("{name}")').fetchall()


def _without_rowid(scratch: sqlite3.Connection) -> bool:
    rows = scratch.execute("PRAGMA table_list").fetchall()
    return any(wr for schema, name, kind, _, wr, _ in rows if not name.startswith("sqlite_"))
