"""A look into an SQLite file that another program may have open: nothing is locked for long, nothing made."""

import os
import sqlite3
import time
from pathlib import Path
from typing import Final

LOCKS: Final = Path("/proc/locks")
_STEPS: Final = 20_000  # of SQLite's machine between two looks at the time


def holders(*paths: Path) -> set[int]:
    """Process ids that hold a lock on one of these files; asking takes no lock, as flock itself would."""
    try:
        nodes = {_node(path) for path in paths if path.exists()}
        lines = LOCKS.read_text(encoding="ascii").splitlines()
    except OSError:
        return set()
    # `1: FLOCK  ADVISORY  WRITE 19086 fe:00:2148240 0 EOF`; a waiting one has `->` in its second place.
    found = [line.split() for line in lines if "->" not in line]
    return {int(words[4]) for words in found if len(words) > 5 and words[5] in nodes}


def _node(path: Path) -> str:
    stat = path.stat()
    return f"{os.major(stat.st_dev):02x}:{os.minor(stat.st_dev):02x}:{stat.st_ino}"


def connect(path: Path, seconds: float) -> sqlite3.Connection:
    """Open a file read-only; after so many seconds its statements end with OperationalError.

    With a write-ahead log beside it, or somebody at work, SQLite reads both as any reader does. Otherwise
    the file is read as it lies, because a reader of a closed file would leave a log behind.
    """
    beside = [path.with_name(path.name + suffix) for suffix in ("-wal", "-shm", ".lock")]
    log = beside[0]
    shared = (log.exists() and log.stat().st_size > 0) or bool(holders(path, *beside))
    try:
        conn = _open(path, "mode=ro" if shared else "immutable=1")
    except sqlite3.OperationalError as err:
        # On a read-only disk there can be no index of the log: then the file without its log.
        if err.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY):
            raise
        conn = _open(path, "immutable=1")
    end = time.monotonic() + seconds
    conn.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)
    return conn


def _open(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.resolve().as_uri()}?{mode}"
    conn = sqlite3.connect(uri, uri=True, timeout=2.0, isolation_level=None)
    try:
        conn.execute("PRAGMA schema_version").fetchone()  # SQLite opens the file only now
    except sqlite3.Error:
        conn.close()
        raise
    return conn
