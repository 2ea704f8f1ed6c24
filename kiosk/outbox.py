"""The durable stream up: what the station says, numbered without gaps, kept until long after it is heard.

The number is given in the transaction that stores the message, so a crash leaves either both or neither.
"""

import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kiosk import tables
from kiosk.clock import Clock, boot_id
from kiosk.database import Database
from kiosk.errors import NotStored
from kiosk.receipt import Receipt
from protocol import messages
from protocol.sealed import blank

if TYPE_CHECKING:
    import sqlite_utils

LIMIT: Final = 200_000  # messages
KEEP: Final = (
    7 * 24 * 3600 * 1000
)  # ms that an acknowledged message stays, for a server restored from a backup
MAX_MESSAGE: Final = 32 * 1024  # bytes; a frame takes two of these at least
TRIM_EVERY: Final = 256  # messages between two looks at the limits


@dataclass(frozen=True)
class Run:
    """Consecutive messages as stored, from number `first`, all measured in one run of the machine, `boot`."""

    first: int
    bodies: list[bytes]
    boot: str


class Outbox:
    """`last` and `low` are the newest and oldest number on disk, `acked` what the server owns.

    They move only after a commit, so what they name can be sent. `not_stored` counts what never got to disk.
    """

    def __init__(self, database: Database, clock: Clock, limit: int = LIMIT) -> None:
        self.stream = ""
        self.last = self.low = self.acked = 0
        self.not_stored = 0
        self.boot = boot_id()
        self._database = database
        self._clock = clock
        self._limit = limit
        self._wake: Callable[[], None] = lambda: None

    def load(self) -> Receipt[None]:
        """Read where the stream stands, or begin one; call once before anything else."""

        def job(db: "sqlite_utils.Database") -> None:
            if not tables.get_meta(db, "stream", ""):
                tables.set_meta(db, "stream", secrets.token_hex(8))
            self._look(db)
            self._database.after_commit(self._committed)

        return self._database.write(job)

    def on_stored(self, wake: Callable[[], None]) -> None:
        """Call `wake()` on the writer thread whenever newer messages are on disk."""
        self._wake = wake

    def append(self, db: "sqlite_utils.Database", message: messages.Up) -> int:
        """Store one message within the caller's transaction; its number, or NotStored if it is too big."""
        body = messages.encode(message)
        if len(body) > MAX_MESSAGE:
            raise NotStored(f"a message of {len(body)} bytes is larger than {MAX_MESSAGE}")
        request = message.id if isinstance(message, messages.Request) else None
        cursor = db.execute(
            "INSERT INTO _stream_up (at, boot, body, request) VALUES (?, ?, ?, ?)",
            [message.at or self._clock.wall_ms(), self.boot, body, request],
        )
        number = cursor.lastrowid or 0
        if number % TRIM_EVERY == 0:
            self._trim(db, number)
        return number

    def say(self, message: messages.Up) -> Receipt[int]:
        """Store one message in a transaction of its own; the value is its number."""
        return self._database.write(lambda db: self.append(db, message))

    def run(self, first: int, count: int, size: int) -> Receipt[Run | None]:
        """Up to `count` messages and `size` bytes from `first` on, at least one; None if there is none.

        It starts later than asked when older ones are gone, and ends where the machine was restarted.
        """
        last = self.last  # not beyond what is committed

        def job(db: "sqlite_utils.Database") -> Run | None:
            rows = db.execute(
                "SELECT number, boot, body FROM _stream_up WHERE number BETWEEN ? AND ?"
                " ORDER BY number LIMIT ?",
                [first, last, count],
            )
            start, boot, weight = 0, "", 0
            bodies: list[bytes] = []
            for number, row_boot, body in rows:
                weight += len(body) + 1
                if bodies and (weight > size or row_boot != boot or number != start + len(bodies)):
                    break
                if not bodies:
                    start, boot = number, row_boot
                bodies.append(body)
            return Run(start, bodies, boot) if bodies else None

        return self._database.read(job)

    def acknowledge(self, upto: int) -> Receipt[None]:
        """The server owns everything up to `upto`; a lower number than before is a server set back."""
        stream = self.stream

        def job(db: "sqlite_utils.Database") -> None:
            if tables.get_meta(db, "stream", "") != stream:
                return
            tables.set_meta(db, "acked", upto)
            self._trim(db, self.last)

        return self._database.write(job)

    def blank(self, request: str, names: Collection[str]) -> Receipt[None]:
        """Headquarters has answered this request, so it owns it: what was sealed for it in `names` goes here.

        The message itself stays as long as all others, in case headquarters is restored from a backup.
        """

        def job(db: "sqlite_utils.Database") -> None:
            found = db.execute("SELECT number, body FROM _stream_up WHERE request = ?", [request]).fetchall()
            for number, body in found:
                if (kept := blank(body, names)) is not body:
                    db.execute("UPDATE _stream_up SET body = ? WHERE number = ?", [kept, number])

        return self._database.write(job)

    def renew(self) -> Receipt[None]:
        """The server owns numbers that were never given here: this is an older copy of the stream.

        Begin a new stream; what nobody has acknowledged gets new numbers from 1, in one transaction.
        """

        def job(db: "sqlite_utils.Database") -> None:
            acked = tables.get_meta(db, "acked", 0)
            db.execute("DELETE FROM _stream_up WHERE number <= ?", [acked])
            low = db.execute("SELECT min(number) FROM _stream_up").fetchone()[0] or 1
            db.execute("UPDATE _stream_up SET number = number - ?", [low - 1])
            tables.set_meta(db, "stream", secrets.token_hex(8))
            tables.set_meta(db, "acked", 0)

        return self._database.write(job)

    def _trim(self, db: "sqlite_utils.Database", last: int) -> None:
        # Only from the lower end, as far as it is old: after every acknowledgement, so without a look at all.
        acked = int(tables.get_meta(db, "acked", 0))
        young = db.execute(
            "SELECT number FROM _stream_up WHERE number <= ? AND at >= ? ORDER BY number LIMIT 1",
            [acked, self._clock.wall_ms() - KEEP],
        ).fetchone()
        low = max(young[0] if young else acked + 1, last - self._limit + 1)
        # The newest row always stays: its number is where SQLite counts on.
        db.execute("DELETE FROM _stream_up WHERE number < ?", [min(low, last)])

    def _committed(self, db: "sqlite_utils.Database") -> None:
        before = (self.stream, self.last)
        self._look(db)
        if (self.stream, self.last) != before:
            self._wake()

    def _look(self, db: "sqlite_utils.Database") -> None:
        stream = str(tables.get_meta(db, "stream", ""))
        low = db.execute("SELECT min(number) FROM _stream_up").fetchone()[0]
        last = db.execute("SELECT max(number) FROM _stream_up").fetchone()[0]
        self.stream, self.low, self.last = stream, low or 0, last or 0
        self.acked = int(tables.get_meta(db, "acked", 0))
