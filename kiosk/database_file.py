"""The database as files on the disk: opened and checked, set aside when damaged, and replaced.

A damaged file stays where it is until its successor is whole and flushed, so that a death at any moment
repeats the work and loses nothing of it.
"""

import contextlib
import fcntl
import logging
import os
import secrets
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, cast

from kiosk import blueprint
from kiosk.errors import AlreadyRunning
from kiosk.handle import Handle

if TYPE_CHECKING:
    import sqlite_utils

    Prepare = Callable[[sqlite_utils.Database], Any]

log = logging.getLogger(__name__)

ASIDE: Final = 2  # damaged files that are kept, the newest
ASIDE_FOR: Final = 7 * 24 * 3600  # s that they are kept: they hold what was sealed for an office as well
STAMP: Final = "%Y%m%d-%H%M%S"

#: What SQLite says of the machine and not of the file: it may be otherwise in a minute.
_TRANSIENT: Final = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_NOLFS,
}


def damage(sentence: str) -> sqlite3.DatabaseError:
    """What SQLite would raise, had it seen it."""
    err = sqlite3.DatabaseError(sentence)
    err.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
    return err


WAL_VERSION: Final = 2  # of the file format, for reading and for writing
UNSUPPORTED: Final = "unsupported file format"


def is_damage(err: BaseException | None) -> bool:
    """Whether an error says that the file is not what was written."""
    if not isinstance(err, sqlite3.Error):
        return False
    code = getattr(err, "sqlite_errorcode", None)
    if code is None:
        return str(err).startswith("Could not decode to UTF-8")
    # A format of the schema that no SQLite has ever written is an error of its own.
    return code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or str(err) == UNSUPPORTED


def is_transient(err: BaseException) -> bool:
    """Whether an error is the machine's and says nothing about what the file holds."""
    if isinstance(err, sqlite3.Error):
        return getattr(err, "sqlite_errorcode", 0) & 0xFF in _TRANSIENT
    return isinstance(err, OSError | MemoryError)


class DatabaseFile:
    """`damaged` names what was set aside when it was opened.

    `unsalvaged`: it is damaged, and the machine does not allow to salvage it now.
    """

    def __init__(self, path: Path, prepare: "Prepare | None") -> None:
        self.path, self._prepare = path, prepare
        self.damaged: Path | None = None
        self.unsalvaged = False
        self._lock_file: IO[str] | None = None
        self._version = -1

    def open(self) -> sqlite3.Connection:
        """A connection to a file that is whole; AlreadyRunning if another process has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._hold_lock()
        self._make_ours()
        self.tidy()
        if self._beside("salvaged").exists():
            self._exchange()
        elif self.path.is_dir() or (self._beside("suspect").exists() and self.path.exists()):
            self._replace("it was found damaged in use" if self.path.is_file() else "it is a directory")
        try:
            return self._connect()
        except sqlite3.DatabaseError as err:
            if not is_damage(err):
                raise
            self._replace(str(err))
        return self._connect()

    def suspect(self) -> bool:
        """The file was found damaged in use: have it replaced at the next start, if that can be noted."""
        try:
            self._beside("suspect").touch()
        except OSError as err:
            log.error("that the database is damaged cannot be noted: %s", err)
            return False
        return True

    def note(self, conn: sqlite3.Connection) -> None:
        """Keep the blueprint beside the file if it has changed."""
        if self._version != blueprint.version(conn):
            found = blueprint.of(conn)
            blueprint.save(self._beside("blueprint"), found)
            self._version = found.version

    def close(self) -> None:
        """Let another process have it."""
        if self._lock_file is not None:
            self._lock_file.close()

    def _connect(self) -> sqlite3.Connection:
        _check_version(self.path)
        conn = sqlite3.connect(self.path)
        try:
            conn.execute("PRAGMA page_size=4096")  # of a new file; salvage relies on it
            conn.execute("PRAGMA journal_mode=WAL")
            conn.execute("PRAGMA synchronous=FULL")
            # What plugins delete, such as yesterday's key, is gone from the file: not every SQLite's default.
            conn.execute("PRAGMA secure_delete=ON")
            conn.execute("PRAGMA journal_size_limit=16777216")
            found = conn.execute("PRAGMA quick_check(1)").fetchone()
            if found != ("ok",):
                raise damage(f"quick_check: {found[0] if found else 'no answer'}")
            self._make_ours()
            kept, here = blueprint.load(self._beside("blueprint")), blueprint.of(conn)
            if not blueprint.is_sound(here) or (kept and blueprint.is_spoilt(here, kept)):
                raise damage("its tables are not those that were made")
            self._version = kept.version if kept == here else -1
            if self._prepare is not None:
                self._prepare(cast("sqlite_utils.Database", Handle(conn)))
            self.note(conn)
        except BaseException:
            conn.close()
            raise
        return conn

    def _replace(self, why: str) -> None:
        """Put a database of what is readable in the place of the damaged one."""
        log.error("the database is damaged: %s", why)
        fresh, whole = self._beside("salvaging"), self._beside("salvaged")
        if self.path.is_file() and self._prepare is not None:
            from kiosk.salvage import salvage

            self.unsalvaged = True
            try:
                salvage(self.path, fresh, self._prepare, note=secrets.token_hex(4))
                fresh.replace(whole)
            except Exception as err:
                # Perhaps later: until then the damaged file is the only one.
                if is_transient(err):
                    self.suspect()
                    raise
                # Whatever the damage does to the reader: the station must start.
                log.exception("nothing could be salvaged")
            finally:
                with contextlib.suppress(OSError):
                    fresh.unlink(missing_ok=True)
            self.unsalvaged = False
        self._exchange()

    def _exchange(self) -> None:
        """Set the damaged files aside, the log first: it must never be found beside another database."""
        stamp = time.strftime(STAMP, time.gmtime())
        aside = self._beside(f"damaged-{stamp}")
        count = 0
        while aside.exists():
            count += 1
            aside = self._beside(f"damaged-{stamp}-{count}")
        for suffix in ("-wal", "-shm", ""):
            part = self.path.with_name(self.path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        if self._beside("salvaged").exists():
            self._beside("salvaged").replace(self.path)
        _flush(self.path.parent)
        for name in ("suspect", "blueprint"):
            self._beside(name).unlink(missing_ok=True)
        self.damaged = aside
        log.error("the damaged database was set aside as %s", aside.name)
        self.tidy()

    def tidy(self) -> None:
        """Keep only the newest of what was set aside, and not for long: it holds what was said here."""
        start = f"{self.path.name}.damaged-"
        names = {
            each.name.removesuffix("-wal").removesuffix("-shm") for each in self.path.parent.glob(f"{start}*")
        }
        asides = sorted(names)
        oldest = start + time.strftime(STAMP, time.gmtime(time.time() - ASIDE_FOR))
        for name in asides:
            if name >= oldest and name in asides[-ASIDE:]:
                continue
            each = self.path.with_name(name)
            for suffix in ("", "-wal", "-shm"):
                part = each.with_name(each.name + suffix)
                with contextlib.suppress(OSError):
                    if part.is_dir():
                        import shutil

                        shutil.rmtree(part)
                    else:
                        part.unlink(missing_ok=True)

    def _make_ours(self) -> None:
        """Nobody else reads what is said here; and a file of ours that came read-only is made writable."""
        for ending in ("", "-wal", "-shm", ".lock", ".blueprint", ".salvaged"):
            part = self.path.with_name(self.path.name + ending)
            if part.is_file() and part.stat().st_mode & 0o777 != 0o600:
                with contextlib.suppress(OSError):
                    part.chmod(0o600)

    def _beside(self, what: str) -> Path:
        return self.path.with_name(f"{self.path.name}.{what}")

    def _hold_lock(self) -> None:
        if self._lock_file is not None:
            return
        file = open(self._beside("lock"), "w")  # noqa: SIM115 - held while open
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            file.close()
            raise AlreadyRunning(f"another process has {self.path} open") from err
        self._lock_file = file


def _check_version(path: Path) -> None:
    """A version of the file that no SQLite writes makes SQLite open it for reading only, without a word."""
    # Before it is opened: closing any handle of the file would let go of SQLite's locks.
    if path.is_file():
        with open(path, "rb") as file:
            version = file.read(20)[18:20]
        if version and max(version) > WAL_VERSION:
            raise damage(f"version {version.hex()} of the file")


def _flush(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
