"""The database of headquarters: one engine, writers one after another, readers on a snapshot."""

import errno
import fcntl
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Insert, Update, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import (
    DatabaseError,
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    PendingRollbackError,
    ProgrammingError,
    ResourceClosedError,
)
from sqlalchemy.pool import QueuePool

FILE: Final = "headquarters.sqlite"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
BUSY_MS: Final = 5000
EMPTY_S: Final = 5.0  # how long emptying the log waits for writers of other processes

_OF_THE_MACHINE: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOMEM,
}
_OF_THE_DATA: Final = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


class Store:
    """Headquarters' database and its data folder. Opening it applies the migrations that are missing.

    `url` names another database than the SQLite file in `data_dir`, as SQLAlchemy writes it. Media, keys and
    the broker's files stay in `data_dir`.
    """

    def __init__(self, data_dir: Path, url: str | None = None) -> None:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.data_dir = data_dir
        self._fence = data_dir / "checkpoint.lock"
        self.engine = _engine(url or f"sqlite:///{data_dir / FILE}")
        self._writing = threading.Lock()
        with self.write() as conn:
            migrate(conn)

    @property
    def media_dir(self) -> Path:
        """Where files of the media store lie, by their SHA-256."""
        return self.data_dir / "media"

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that may write. Other writers wait; an error rolls everything back."""
        with self._writing, self._fenced(fcntl.LOCK_SH), self.engine.connect() as conn:
            conn.execution_options(writes=True)
            with conn.begin():
                yield conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, all of it from one snapshot."""
        with self.engine.connect() as conn:
            if self.engine.dialect.name != "sqlite":
                conn.execution_options(isolation_level="REPEATABLE READ")
            with conn.begin():
                yield conn

    def checkpoint(self, empty: bool = False) -> None:
        """Fold SQLite's write-ahead log into the file. Nobody else does: see `_open_sqlite`.

        With `empty` wait for readers and leave no log behind, and so nothing of what was deleted.
        """
        if self.engine.dialect.name != "sqlite":
            return
        with self._writing, self._fenced(fcntl.LOCK_EX | fcntl.LOCK_NB, EMPTY_S if empty else 0.0) as alone:
            if alone:
                with self.engine.connect() as conn:
                    driver = conn.connection.driver_connection
                    assert driver is not None
                    driver.execute(f"PRAGMA wal_checkpoint({'TRUNCATE' if empty else 'PASSIVE'})")

    def renew(self) -> None:
        """Open connections anew: one of them may be what does not work."""
        self.engine.dispose()

    def close(self) -> None:
        """Let go of every connection."""
        self.engine.dispose()

    @contextmanager
    def _fenced(self, how: int, seconds: float = 0.0) -> Iterator[bool]:
        """Keep commits of all processes and the folding of the log apart; whether that was possible.

        SQLite before 3.51.3 can lose a commit that another process makes while the log is folded. Many may
        write at once as far as this lock is concerned, and one alone may fold.
        """
        if self.engine.dialect.name != "sqlite":
            yield True
            return
        file = os.open(self._fence, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield _locked(file, how, seconds)
        finally:
            os.close(file)


def in_trouble(err: BaseException) -> bool:
    """Whether this says that the database, or the machine, takes nothing at present, whatever is asked of it.

    Anything else may be due to the very data, such as a number that the driver cannot take.
    """
    if isinstance(err, DBAPIError) and err.connection_invalidated:
        return True
    if isinstance(err, DatabaseError):
        return not isinstance(err, _OF_THE_DATA)
    if isinstance(err, OSError):
        return err.errno in _OF_THE_MACHINE
    return isinstance(err, DBAPIError | PendingRollbackError | ResourceClosedError | MemoryError)


def of_the_data(err: BaseException) -> bool:
    """Whether this says that the database works, and cannot take the very values it was given.

    Neither what may pass nor a fault of this program is: of these nobody else can tell what is lost by it.
    The last two are what SQLite's driver says of a number or a text that it cannot take.
    """
    return isinstance(err, DataError | NotSupportedError | UnicodeEncodeError | OverflowError)


def migrate(conn: Connection) -> None:
    """Bring the tables up to this release, inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def bulk(conn: Connection, statement: Insert | Update, rows: Sequence[tuple[Any, ...]]) -> int:
    """Run a module-level statement for many rows by the driver's executemany; how many rows it touched.

    The tuples stand in the order in which the statement's parameters are compiled. Going past SQLAlchemy's
    per-row work is what makes the ingest path fast.
    """
    if not rows:
        return 0
    key = (statement, conn.dialect.name)
    if key not in _compiled:
        _compiled[key] = str(statement.compile(dialect=conn.dialect))
    return conn.exec_driver_sql(_compiled[key], list(rows)).rowcount


_compiled: Final[dict[tuple[Insert | Update, str], str]] = {}


def _locked(file: int, how: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, how)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            poolclass=QueuePool,
            pool_size=4,
            max_overflow=16,
            connect_args={"check_same_thread": False},
            hide_parameters=True,  # what stations say belongs neither into logs nor into what operators see
        )
        event.listen(engine, "connect", _open_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # Positional parameters, so that `bulk` hands the same tuples to every driver.
    return create_engine(url, paramstyle="format", pool_pre_ping=True, hide_parameters=True)


def _open_sqlite(driver: Any, _record: Any) -> None:
    driver.isolation_level = None  # the begin event below speaks for itself
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        f"busy_timeout = {BUSY_MS}",
        "foreign_keys = ON",
        # What is deleted, such as a contact, is gone from the file: not every SQLite's default.
        "secure_delete = ON",
        # SQLite before 3.51.3 can lose commits when two connections checkpoint at once: one place does it.
        "wal_autocheckpoint = 0",
        "journal_size_limit = 67108864",
        "temp_store = MEMORY",
    ):
        driver.execute(f"PRAGMA {pragma}")


def _begin_sqlite(conn: Connection) -> None:
    # A writer takes the lock at once: upgrading a read transaction later can only fail.
    conn.exec_driver_sql("BEGIN IMMEDIATE" if conn.get_execution_options().get("writes") else "BEGIN")
