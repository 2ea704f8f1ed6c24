"""The station's one SQLite file and the one thread that owns its connection.

Everything that reads or writes is a job in one queue. The thread takes what waits, runs each job in its own
savepoint, commits once with `synchronous=FULL`, and then settles the receipts: so many small writes cost one
flush, and a job that raises undoes only itself. One connection in one process is also what keeps SQLite's
WAL safe (RELIABILITY, known traps).
"""

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from kiosk import memory
from kiosk.database_file import DatabaseFile, is_damage
from kiosk.errors import AlreadyRunning, NotStored, SharedTransaction, StorageFull, TooLarge
from kiosk.handle import Handle
from kiosk.receipt import Post, Receipt

if TYPE_CHECKING:
    import sqlite_utils

    Job = Callable[[sqlite_utils.Database], Any]
    #: What a job returned or raised.
    Outcome = tuple[Any, BaseException | None]

T = TypeVar("T")
log = logging.getLogger(__name__)

BATCH: Final = 500  # jobs in one commit at most
REOPEN_AFTER: Final = 2.0  # s between attempts to open a file that could not be opened
SALVAGE_AFTER: Final = 60.0  # s between attempts to salvage a damaged one: each takes up to 15 s
TIDY_EVERY: Final = 3600.0  # s
HEAL_AFTER: Final = 3600.0  # s between two times that a damaged file may cost the screen a new start

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

    `opened` settles when the file is open and `prepare(db)` has made its tables; a damaged file is replaced
    by what can be salvaged of it, and `damaged` then names where it was set aside.
    """

    def __init__(self, path: Path, prepare: "Job | None" = None) -> None:
        self.path = path
        self._post: Post | None = None
        self._writer = _Writer(path, prepare)
        self._writer.start()

    @property
    def opened(self) -> Receipt[None]:
        return self._writer.opened

    @property
    def damaged(self) -> Path | None:
        return self._writer.file.damaged

    def write(self, fn: "Callable[[sqlite_utils.Database], T]", says: int = 0) -> Receipt[T]:
        """Run `fn(db)` on the writer thread; the receipt is ok once it is on disk. `fn` must not commit.

        `says`: the messages that are lost with it if the disk does not take it.
        """
        return self._writer.put(fn, self._post, says)

    def read(self, fn: "Callable[[sqlite_utils.Database], T]") -> Receipt[T]:
        """The same queue for a job that only reads, so that it sees all writes before it."""
        return self._writer.put(fn, self._post)

    def posting(self, post: Post) -> "Database":
        """A handle on the same writer whose receipts reach the UI thread through `post`."""
        handle = object.__new__(Database)
        handle._post, handle._writer, handle.path = post, self._writer, self.path
        return handle

    def after_commit(self, listener: "Callable[[sqlite_utils.Database], None]") -> None:
        """Call `listener(db)` on the writer thread after each commit, before its receipts are settled."""
        self._writer.listeners.append(listener)

    def on_lost(self, listener: Callable[[int, int], None]) -> None:
        """Call `listener(n, age)` on the writer thread when the disk has not taken n messages.

        The oldest of them came `age` ms ago. It is called before their receipts are settled.
        """
        self._writer.lost = listener

    def on_stale(self, listener: Callable[[], object]) -> None:
        """Call `listener()` on the writer thread when only a new start of the process helps.

        That is when the file opens only after `opened` has failed, and when it turns out damaged in use.
        """
        self._writer.stale = listener

    def close(self, timeout: float = 10.0) -> None:
        """Finish what is queued and close the file; later jobs fail with NotStored."""
        self._writer.stop(timeout)


@dataclass(frozen=True)
class Entry:
    """A job in the queue, its receipt, how many messages are lost with it, and when it came (monotonic)."""

    fn: "Job"
    receipt: Receipt[Any]
    says: int
    at: float


class _Writer(threading.Thread):
    def __init__(self, path: Path, prepare: "Job | None") -> None:
        super().__init__(name="yizhan-database", daemon=True)
        self.file = DatabaseFile(path, prepare)
        self.opened: Receipt[None] = Receipt()
        self.listeners: list[Callable[[sqlite_utils.Database], None]] = []
        self.lost: Callable[[int, int], None] = lambda count, age: None
        self.stale: Callable[[], object] = lambda: None
        self._queue: queue.SimpleQueue[Entry | None] = queue.SimpleQueue()
        self._closing = threading.Lock()
        self._closed = False
        self._db: sqlite_utils.Database | None = None
        self._fault: BaseException | None = None
        self._tried = 0.0
        self._healed = -HEAL_AFTER
        self._tidied = time.monotonic()
        self._in_job = False

    def put(self, fn: "Job", post: Post | None, says: int = 0) -> Receipt[Any]:
        receipt: Receipt[Any] = Receipt(post)
        with self._closing:
            if not self._closed:
                self._queue.put(Entry(fn, receipt, says, time.monotonic()))
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
                try:
                    self._serve(batch)
                except BaseException as err:  # noqa: BLE001 - a fence: without this thread nothing is ever stored
                    self._survive(batch, err)
        if self._db is not None:
            self._db.close()
        self.file.close()

    def _survive(self, batch: "list[Entry]", err: BaseException) -> None:
        """What no step of this thread foresees: undo, let nobody wait for ever, and ask for a new start."""
        if isinstance(err, MemoryError):
            memory.give_up()
        log.critical("the writer has failed", exc_info=err)
        left = [entry for entry in batch if not entry.receipt.done]
        try:
            if self._db is not None and self._db.conn.in_transaction:
                self._db.conn.rollback()
        except sqlite3.Error:
            log.exception("what was begun cannot be undone")
        self._settle(left, [(None, NotStored(f"the writer has failed: {err!r}"))] * len(left))
        try:
            self.stale()
        except Exception:  # as above: this thread must not end
            log.exception("nobody was asked for a new start")

    def _serve(self, batch: "list[Entry]") -> None:
        pause = SALVAGE_AFTER if self.file.unsalvaged else REOPEN_AFTER
        if self._db is None and time.monotonic() - self._tried > pause:
            self._try_open()
            if self._db is not None:
                self.stale()
        if self._db is None:
            self._settle(batch, [(None, self._fault)] * len(batch))
            return
        while batch:
            batch = self._commit(self._db, batch)

    def _commit(self, db: "sqlite_utils.Database", batch: "list[Entry]") -> "list[Entry]":
        """Run a batch in one transaction and settle it; what is returned has not been run yet."""
        outcomes: list[Outcome] = []
        broken: BaseException | None = None
        try:
            db.conn.execute("BEGIN IMMEDIATE")
            for entry in batch:
                outcomes.append(self._run_job(db, entry.fn))
                if not db.conn.in_transaction:
                    # A full disk makes SQLite undo the whole transaction, the jobs before included.
                    broken = outcomes[-1][1] or NotStored("a job has ended the transaction of all")
                    break
            else:
                db.conn.commit()
        except sqlite3.Error as err:
            broken = err
            outcomes += [(None, err)] * (len(batch) - len(outcomes))
            if db.conn.in_transaction:
                db.conn.rollback()
        if broken is not None:
            log.error("a transaction of %d jobs was not stored: %s", len(outcomes), broken)
            outcomes = [(None, error or broken) for _, error in outcomes]
            self._settle(batch, outcomes)
        else:
            try:
                self._tell(db)
            finally:  # it is stored, whatever else fails
                self._settle(batch, outcomes)
        return batch[len(outcomes) :]

    def _tell(self, db: "sqlite_utils.Database") -> None:
        """Something is committed: tell the listeners, and keep the blueprint true."""
        for listener in self.listeners:
            try:
                listener(db)
            except Exception as err:
                log.exception("a commit listener failed")
                self._suspect(err)
        try:
            self.file.note(db.conn)
        except sqlite3.Error as err:
            self._suspect(err)
        if time.monotonic() - self._tidied > TIDY_EVERY:
            self._tidied = time.monotonic()
            self.file.tidy()

    def _settle(self, batch: "list[Entry]", outcomes: "list[Outcome]") -> None:
        errors = [None if error is None else translated(error) for _, error in outcomes]
        ours = not isinstance(self._fault, AlreadyRunning)
        lost = [entry for entry, error in zip(batch, errors, strict=False) if entry.says and _by_disk(error)]
        if lost and ours:
            age = time.monotonic() - min(entry.at for entry in lost)
            try:
                self.lost(sum(entry.says for entry in lost), round(age * 1000))
            except Exception:  # a count must not cost the receipts
                log.exception("%d jobs with lost messages were not counted", len(lost))
        for entry, (value, _), error in zip(batch, outcomes, errors, strict=False):
            try:
                entry.receipt.settle(value, error)
            except Exception:  # whoever is told must not cost the others their receipts
                log.exception("a receipt could not be handed over")
        for _, raised in outcomes:
            self._suspect(raised)

    def _suspect(self, err: BaseException | None) -> None:
        """Have a file that turns out damaged replaced by a new start: once, and not again for a long time."""
        if not is_damage(err) or not self.file.suspect():
            return
        now = time.monotonic()
        if now - self._healed > HEAL_AFTER:
            self._healed = now
            log.error("the database is damaged: %s", err)
            self.stale()

    def _try_open(self) -> None:
        self._tried = time.monotonic()
        try:
            conn = self.file.open()
            conn.set_authorizer(self._allowed)
            self._db, self._fault = cast("sqlite_utils.Database", Handle(conn)), None
        except (sqlite3.Error, OSError, AlreadyRunning) as err:
            self._fault = err if isinstance(err, AlreadyRunning) else translated(err)
            log.error("the database cannot be opened: %s", err)
        except Exception as err:
            self._fault = err
            log.exception("the database cannot be prepared")
        if self.file.damaged is not None:
            self._healed = time.monotonic()

    def _run_job(self, db: "sqlite_utils.Database", fn: "Job") -> "Outcome":
        """Run one job in its savepoint: its value, or what it raised after its traces are undone."""
        conn = db.conn
        conn.execute("SAVEPOINT job")
        self._in_job = True
        try:
            value = fn(db)
        except BaseException as err:  # noqa: BLE001 - a fence: a plugin's job must not end the writer
            self._in_job = False
            if conn.in_transaction:
                conn.execute("ROLLBACK TO job")
                conn.execute("RELEASE job")
            if getattr(err, "sqlite_errorcode", None) == sqlite3.SQLITE_AUTH:
                return None, SharedTransaction("a job must not end the transaction that it shares")
            return None, err
        finally:
            self._in_job = False
        if conn.in_transaction:
            conn.execute("RELEASE job")
        return value, None

    def _allowed(self, action: int, what: str | None, *_: str | None) -> int:
        """SQLite asks when it compiles a statement: a job must not end the transaction of its neighbours.

        It asks once for a statement that is kept compiled, so nobody may `execute("COMMIT")` outside of jobs.
        """
        denied = self._in_job and action == sqlite3.SQLITE_TRANSACTION and what in ("COMMIT", "ROLLBACK")
        return sqlite3.SQLITE_DENY if denied else sqlite3.SQLITE_OK


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


def _by_disk(error: BaseException | None) -> bool:
    """Whether it is the machine that has not taken a job, and not the job that failed."""
    return isinstance(error, NotStored) and not isinstance(error, TooLarge | SharedTransaction)
