"""The station's one SQLite file and the one thread that owns its connection.

Everything that reads or writes is a job in one queue. The thread takes what waits, runs each job in its own
savepoint, commits once with `synchronous=FULL`, and then settles the receipts: so many small writes cost one
flush, and a job that raises undoes only itself. One connection in one process is also what keeps SQLite's
WAL safe (RELIABILITY, known traps).
"""

import fcntl
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from kiosk.errors import AlreadyRunning, NotStored, StorageFull
from kiosk.handle import Handle
from kiosk.receipt import Post, Receipt

if TYPE_CHECKING:
    import sqlite_utils

    Job = Callable[[sqlite_utils.Database], Any]

T = TypeVar("T")
log = logging.getLogger(__name__)

BATCH: Final = 500  # jobs in one commit at most
REOPEN_AFTER: Final = 2.0  # s between attempts to open a file that could not be opened

_MACHINE: Final = {
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CORRUPT,
    sqlite3.SQLITE_NOTADB,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_NOMEM,
}


class Database:
    """A handle on the writer thread. `post` says how receipts reach the UI thread.

    `opened` settles when the file is open and `prepare(db)` has made its tables; a file that cannot be read
    is moved aside first, and `damaged` then names it.
    """

    def __init__(self, path: Path, prepare: "Job | None" = None) -> None:
        self._post: Post | None = None
        self._writer = _Writer(path, prepare)
        self._writer.start()

    @property
    def opened(self) -> Receipt[None]:
        return self._writer.opened

    @property
    def damaged(self) -> Path | None:
        return self._writer.damaged

    def write(self, fn: "Callable[[sqlite_utils.Database], T]") -> Receipt[T]:
        """Run `fn(db)` on the writer thread; the receipt is ok once it is on disk. `fn` must not commit."""
        return self._writer.put(fn, self._post)

    def read(self, fn: "Callable[[sqlite_utils.Database], T]") -> Receipt[T]:
        """The same queue for a job that only reads, so that it sees all writes before it."""
        return self._writer.put(fn, self._post)

    def posting(self, post: Post) -> "Database":
        """A handle on the same writer whose receipts reach the UI thread through `post`."""
        handle = object.__new__(Database)
        handle._post, handle._writer = post, self._writer
        return handle

    def after_commit(self, listener: "Callable[[sqlite_utils.Database], None]") -> None:
        """Call `listener(db)` on the writer thread after each commit, before its receipts are settled."""
        self._writer.listeners.append(listener)

    def on_opened_late(self, listener: Callable[[], object]) -> None:
        """Call `listener()` on the writer thread if the file opens only after `opened` has failed."""
        self._writer.opened_late = listener

    def close(self, timeout: float = 10.0) -> None:
        """Finish what is queued and close the file; later jobs fail with NotStored."""
        self._writer.stop(timeout)


class _Writer(threading.Thread):
    def __init__(self, path: Path, prepare: "Job | None") -> None:
        super().__init__(name="yizhan-database", daemon=True)
        self.path = path
        self.prepare = prepare
        self.opened: Receipt[None] = Receipt()
        self.damaged: Path | None = None
        self.listeners: list[Callable[[sqlite_utils.Database], None]] = []
        self.opened_late: Callable[[], object] = lambda: None
        self._queue: queue.SimpleQueue[tuple[Job, Receipt[Any]] | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._db: sqlite_utils.Database | None = None
        self._fault: BaseException | None = None
        self._tried = 0.0
        self._lock_file: Any = None

    def put(self, fn: "Job", post: Post | None) -> Receipt[Any]:
        receipt: Receipt[Any] = Receipt(post)
        with self._closing:
            if not self._closed:
                self._queue.put((fn, receipt))
                return receipt
        receipt.settle(error=NotStored("the database is closed"))
        return receipt

    def stop(self, timeout: float) -> None:
        with self._closing:
            if not self._closed:
                self._closed = True
                self._queue.put(None)
        self.join(timeout)

    def run(self) -> None:
        self._try_open()
        self.opened.settle(error=self._fault)
        going = True
        while going:
            batch = []
            entry = self._queue.get()
            while True:
                if entry is None:
                    going = False
                    break
                batch.append(entry)
                if len(batch) == BATCH:
                    break
                try:
                    entry = self._queue.get_nowait()
                except queue.Empty:
                    break
            if batch:
                self._serve(batch)
        if self._db is not None:
            self._db.close()
        if self._lock_file is not None:
            self._lock_file.close()

    def _serve(self, batch: "list[tuple[Job, Receipt[Any]]]") -> None:
        if self._db is None and time.monotonic() - self._tried > REOPEN_AFTER:
            self._try_open()
            if self._db is not None:
                self.opened_late()
        if self._db is None:
            for _, receipt in batch:
                receipt.settle(error=self._fault)
            return
        while batch:
            batch = self._commit(self._db, batch)

    def _commit(
        self, db: "sqlite_utils.Database", batch: "list[tuple[Job, Receipt[Any]]]"
    ) -> "list[tuple[Job, Receipt[Any]]]":
        """Run a batch in one transaction and settle it; what is returned has not been run yet."""
        outcomes: list[tuple[Any, BaseException | None]] = []
        broken: BaseException | None = None
        try:
            db.conn.execute("BEGIN IMMEDIATE")
            for fn, _ in batch:
                outcomes.append(_run_job(db, fn))
                if not db.conn.in_transaction:
                    # A full disk makes SQLite undo the whole transaction, the jobs before included.
                    broken = outcomes[-1][1] or NotStored("a job has ended the transaction of all")
                    break
            else:
                db.conn.execute("COMMIT")
        except sqlite3.Error as err:
            broken = err
            outcomes += [(None, err)] * (len(batch) - len(outcomes))
            if db.conn.in_transaction:
                db.conn.rollback()
        if broken is not None:
            log.error("a transaction of %d jobs was not stored: %s", len(outcomes), broken)
            outcomes = [(None, error or broken) for _, error in outcomes]
        for listener in self.listeners:
            try:
                listener(db)
            except Exception:
                log.exception("a commit listener failed")
        for (_, receipt), (value, error) in zip(batch, outcomes, strict=False):
            receipt.settle(value, None if error is None else translated(error))
        return batch[len(outcomes) :]

    def _try_open(self) -> None:
        self._tried = time.monotonic()
        try:
            self._db, self._fault = self._open(), None
        except (sqlite3.Error, OSError, AlreadyRunning) as err:
            self._fault = err if isinstance(err, AlreadyRunning) else translated(err)
            log.error("the database cannot be opened: %s", err)
        except Exception as err:
            self._fault = err
            log.exception("the database cannot be prepared")

    def _open(self) -> "sqlite_utils.Database":
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._hold_lock()
        try:
            conn = _connect(self.path)
        except sqlite3.DatabaseError as err:
            if err.sqlite_errorcode not in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise
            self.damaged = _set_aside(self.path)
            log.error("the database was damaged (%s) and set aside as %s", err, self.damaged.name)
            conn = _connect(self.path)
        db = cast("sqlite_utils.Database", Handle(conn))
        if self.prepare is not None:
            self.prepare(db)
        return db

    def _hold_lock(self) -> None:
        if self._lock_file is not None:
            return
        file = open(self.path.with_name(self.path.name + ".lock"), "w")  # noqa: SIM115 - held while open
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as err:
            file.close()
            raise AlreadyRunning(f"another process has {self.path} open") from err
        self._lock_file = file


def _run_job(db: "sqlite_utils.Database", fn: "Job") -> tuple[Any, BaseException | None]:
    """Run one job in its savepoint: its value, or what it raised after its traces are undone."""
    conn = db.conn
    conn.execute("SAVEPOINT job")
    try:
        value = fn(db)
    except BaseException as err:  # noqa: BLE001 - a fence: a plugin's job must not end the writer
        if conn.in_transaction:
            conn.execute("ROLLBACK TO job")
            conn.execute("RELEASE job")
        return None, err
    if conn.in_transaction:
        conn.execute("RELEASE job")
    return value, None


def translated(err: BaseException) -> BaseException:
    """SQLite's troubles with the machine as errors that carry a sentence; a job's own errors stay."""
    if isinstance(err, OSError):
        return NotStored(f"the disk refused: {err.strerror}")
    code = getattr(err, "sqlite_errorcode", None)
    if not isinstance(err, sqlite3.Error) or code is None:
        return err
    if code & 0xFF == sqlite3.SQLITE_FULL:
        return StorageFull("the disk is full")
    return NotStored(f"SQLite refused: {err}") if code & 0xFF in _MACHINE else err


def _connect(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(path)
    try:
        conn.execute("PRAGMA journal_mode=WAL")
        conn.execute("PRAGMA synchronous=FULL")
        # What plugins delete, such as yesterday's key, is gone from the file: not every SQLite's default.
        conn.execute("PRAGMA secure_delete=ON")
        conn.execute("PRAGMA journal_size_limit=16777216")
        found = conn.execute("PRAGMA quick_check(1)").fetchone()
        if found != ("ok",):
            damage = sqlite3.DatabaseError(f"quick_check: {found[0] if found else 'no answer'}")
            damage.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
            raise damage
    except sqlite3.Error:
        conn.close()
        raise
    return conn


def _set_aside(path: Path) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    count = 0
    while aside.exists():
        count += 1
        aside = path.with_name(f"{path.name}.damaged-{stamp}-{count}")
    for suffix in ("", "-wal", "-shm"):
        part = path.with_name(path.name + suffix)
        if part.exists():
            part.rename(aside.with_name(aside.name + suffix))
    return aside
