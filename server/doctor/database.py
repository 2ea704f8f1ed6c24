"""Headquarters' database file: whole, of this release, its log folded in, its lock given back."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import DatabaseError

from protocol.finding import Finding, size
from server.doctor.visit import SECONDS, Visit
from server.store.engine import MIGRATIONS

LOG_GROWS: Final = 256 * 2**20  # bytes; it is folded in at 64 MiB
HELD: Final = 3.0  # s; a batch takes a fraction of one
_LOCKS: Final = Path("/proc/locks")
_WRITE_LOCK: Final = "120"  # the byte of SQLite's shared memory that its one writer locks


def database(visit: Visit) -> Iterator[Finding]:
    """Whether the file can be read and is whole."""
    say, weight = visit.say, size(visit.database.stat().st_size)
    try:
        with visit.reading() as conn:
            answer = conn.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    except DatabaseError as err:
        if took_too_long(err):
            yield say.warn("database.long", size=weight, span=say.span(SECONDS))
        else:
            yield say.bad("database.damaged", error=err.orig)
        return
    if answer == "ok":
        yield say.ok("database.ok", size=weight)
    else:
        yield say.bad("database.damaged", error=str(answer).splitlines()[-1])


def release(visit: Visit) -> Iterator[Finding]:
    """Whether the tables are those of this release."""
    head = ScriptDirectory(str(MIGRATIONS)).get_current_head() or ""
    try:
        with visit.reading() as conn:
            found = _version(conn)
    except DatabaseError:
        return  # the check of the file says why
    if found == head:
        yield visit.say.ok("release.ok", version=head)
    elif found in {each.revision for each in ScriptDirectory(str(MIGRATIONS)).walk_revisions()}:
        yield visit.say.warn("release.older", version=found, head=head)
    else:
        yield visit.say.bad("release.newer", version=found or "-", head=head)


def log(visit: Visit) -> Iterator[Finding]:
    """Whether the write-ahead log is folded into the file now and then."""
    file = visit.database.with_name(f"{visit.database.name}-wal")
    weight = file.stat().st_size if file.exists() else 0
    if weight > LOG_GROWS:
        yield visit.say.warn("log.grows", size=size(weight))
    else:
        yield visit.say.ok("log.ok", size=size(weight))


def lock(visit: Visit) -> Iterator[Finding]:
    """Whether one process keeps all others from writing; seen in the kernel's list, without taking a lock."""
    shared = visit.database.with_name(f"{visit.database.name}-shm")
    end, holder = time.monotonic() + HELD, _holder(shared)
    while holder and time.monotonic() < end:
        time.sleep(HELD / 30)  # a look at a list, as nobody tells when a lock is given back
        if _holder(shared) != holder:
            holder = 0
    if holder:
        yield visit.say.bad("lock.held", pid=holder, program=_program(holder), span=visit.say.span(HELD))


def is_current(conn: Connection) -> bool:
    """Whether the tables are those of this release, so that its questions can be asked."""
    return _version(conn) == ScriptDirectory(str(MIGRATIONS)).get_current_head()


def took_too_long(err: DatabaseError) -> bool:
    """Whether a statement was ended for its time, and not by a fault."""
    return "interrupted" in str(err.orig)


def _version(conn: Connection) -> str:
    known = "SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'"
    if conn.exec_driver_sql(known).scalar() is None:
        return ""
    return str(conn.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() or "")


def _holder(shared: Path) -> int:
    """The process that holds the write lock, or 0."""
    try:
        stat = shared.stat()
        lines = _LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    node = f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}:{stat.st_ino}"
    for words in (line.split() for line in lines if "->" not in line):
        # `2: POSIX  ADVISORY  WRITE 19086 fe:00:2148263 120 120`
        if words[3:4] == ["WRITE"] and words[5:7] == [node, _WRITE_LOCK]:
            return int(words[4])
    return 0


def _program(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()
    except OSError:
        return "?"
