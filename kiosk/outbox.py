"""The durable stream up: what the station says, numbered one by one, kept until long after it is heard.

The number is given in the transaction that stores the message, so a crash leaves either both or neither.
What could not be stored, or was lost with a damaged database, is said in the stream as soon as it can be.
"""

import logging
import re
import secrets
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from kiosk import tables
from kiosk.clock import Clock, boot_id
from kiosk.database import Database
from kiosk.database_file import damage
from kiosk.errors import TooLarge
from kiosk.receipt import Receipt
from kiosk.row import checksum
from kiosk.tally import Missing, Tally
from protocol import messages
from protocol.sealed import blank
from protocol.stream import branch

if TYPE_CHECKING:
    import sqlite_utils

log = logging.getLogger(__name__)

LIMIT: Final = 200_000  # messages
ROOM: Final = 256 * 1024 * 1024  # bytes of bodies
KEEP: Final = (
    7 * 24 * 3600 * 1000
)  # ms that an acknowledged message stays, for a server restored from a backup
MAX_MESSAGE: Final = 32 * 1024  # bytes; a frame takes two of these at least
TRIM_EVERY: Final = 256  # messages between two looks at the limits
PARKED: Final = 1000  # messages that headquarters cannot read are kept at most
TOLD: Final = 16  # ids of losses that were said

_STREAM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")


@dataclass(frozen=True)
class Stretch:
    """Consecutive messages as stored, from number `first`.

    All were written in one run of this program, `run`, and measured in one run of the machine, `boot`.
    `prior` is the run of the message before; from `gone`, unless it is 0, to `first` there is nothing, with
    `lowest` nothing at all below `first`. `stream` is the stream that it was read from.
    """

    first: int
    bodies: list[bytes]
    boot: str
    run: str = ""
    prior: str = ""
    gone: int = 0
    lowest: bool = False
    stream: str = ""

    @property
    def last(self) -> int:
        return self.first + len(self.bodies) - 1


class Outbox:
    """`last` and `low` are the newest and oldest number on disk, `acked` what the server owns.

    They move only after a commit, so what they name can be sent. `run_id` names this process: with the number
    it names a message for ever, whatever becomes of the disk. `not_stored` counts what never got there.
    """

    def __init__(self, database: Database, clock: Clock, limit: int = LIMIT, room: int = ROOM) -> None:
        self.stream = ""
        self.last = self.low = self.acked = 0
        self.stands = ("", 0, 0)  # stream, last and acked of one moment, for other threads
        self.not_stored = 0
        self.boot = boot_id()
        self.run_id = secrets.token_hex(8)
        self.tally = Tally(database.path.with_name(database.path.name + ".tally"))
        self._database = database
        self._clock = clock
        self._limit, self._room = limit, room
        self._trim_every = max(1, min(TRIM_EVERY, limit // 8))
        self._wake: Callable[[], None] = lambda: None
        self._begun = False
        self._floor = 0  # numbers up to this one were given, even if the database has lost them
        self._acked_at = 0
        database.after_commit(self._committed)
        database.on_lost(self._lost)

    def load(self) -> Receipt[None]:
        """Read where the stream stands, or begin one; call once before anything else."""

        def job(db: "sqlite_utils.Database") -> None:
            self._begin(db)
            self._look(db)

        return self._database.write(job)

    def on_stored(self, wake: Callable[[], None]) -> None:
        """Call `wake()` on the writer thread whenever newer messages are on disk."""
        self._wake = wake

    def append(self, db: "sqlite_utils.Database", message: messages.Up) -> int:
        """Store one message within the caller's transaction; its number, or TooLarge if it is too big."""
        body = messages.encode(message)
        if len(body) > MAX_MESSAGE:
            raise TooLarge(f"a message of {len(body)} bytes is larger than {MAX_MESSAGE}")
        request = message.id if isinstance(message, messages.Request) else None
        if not self._begun:
            self._begin(db)  # the database could not be opened in time for `load`
        if self.tally.read().missing:
            # With the message or not at all: a heartbeat says that all before it is said.
            self._tell(db)
        at = message.at or self._clock.wall_ms()
        return self._add(db, at, request, body)

    def _add(self, db: "sqlite_utils.Database", at: int, request: str | None, body: bytes) -> int:
        newest = db.execute("SELECT number, total FROM _stream_up ORDER BY number DESC LIMIT 1").fetchone()
        last, total = newest or (0, 0)
        number = max(last, self._floor) + 1
        proof = checksum(number, at, self.boot, self.run_id, request, body)
        db.execute(
            "INSERT INTO _stream_up (number, at, boot, run, request, body, total, checksum)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [number, at, self.boot, self.run_id, request, body, total + len(body), proof],
        )
        if number % self._trim_every == 0:
            self._trim(db, number)
        return number

    def say(self, message: messages.Up) -> Receipt[int]:
        """Store one message in a transaction of its own; the value is its number."""
        says = int(isinstance(message, messages.Event | messages.Request))
        return self._database.write(lambda db: self.append(db, message), says)

    def stretch(self, first: int, count: int, size: int) -> Receipt[Stretch | None]:
        """Up to `count` messages and `size` bytes from `first` on, at least one; None if there is none.

        It starts later than asked when older ones are gone, and ends where the machine or the program was
        started again.
        """
        last = self.last  # not beyond what is committed

        def job(db: "sqlite_utils.Database") -> Stretch | None:
            rows = db.execute(
                "SELECT number, at, boot, run, request, body, checksum FROM _stream_up"
                " WHERE number BETWEEN ? AND ? ORDER BY number LIMIT ?",
                [first, last, count],
            )
            start, writer, weight = 0, ("", ""), 0
            bodies: list[bytes] = []
            for number, boot, run, body in _proved(rows):
                weight += len(body) + 1
                if bodies and (weight > size or (boot, run) != writer or number != start + len(bodies)):
                    break
                if not bodies:
                    start, writer = number, (boot, run)
                bodies.append(body)
            if not bodies:
                return None
            before = db.execute(
                "SELECT number, run FROM _stream_up WHERE number < ? ORDER BY number DESC LIMIT 1", [start]
            ).fetchone()
            number, prior = before or (first - 1, "")
            gone = number + 1 if number + 1 < start else 0
            stream = tables.get_meta(db, "stream", "")
            return Stretch(start, bodies, *writer, prior, gone, before is None, stream)

        return self._database.read(job)

    def acknowledge(self, upto: int, stream: str = "") -> Receipt[None]:
        """The server owns everything up to `upto`; a lower number than before is a server set back.

        `stream`, here and below, is the one that is meant, by default the present one: nothing is done in
        another.
        """
        stream = stream or self.stream

        def job(db: "sqlite_utils.Database") -> None:
            if tables.get_meta(db, "stream", "") != stream:
                return
            tables.set_meta(db, "acked", upto)
            self._acked_at = self._time_of(db, upto)
            self._trim(db, self.last)

        return self._database.write(job)

    def blank(self, request: str, names: Collection[str]) -> Receipt[None]:
        """Headquarters has answered this request, so it owns it: what was sealed for it in `names` goes here.

        The message itself stays as long as all others, in case headquarters is restored from a backup.
        """

        def job(db: "sqlite_utils.Database") -> None:
            rows = db.execute("SELECT number, body FROM _stream_up WHERE request = ?", [request])
            for number, body in rows.fetchall():
                if (kept := blank(body, names)) is not body:
                    self._put(db, number, kept, request)

        return self._database.write(job)

    def park(self, number: int, reason: str, stream: str = "") -> Receipt[None]:
        """Headquarters cannot read this message: keep it aside, and say so under its number.

        A message that says so already stays: who does not read that either reads nothing.
        """
        stream = stream or self.stream

        def job(db: "sqlite_utils.Database") -> None:
            query = "SELECT at, body, request FROM _stream_up WHERE number = ?"
            row = db.execute(query, [number]).fetchone()
            if row is None or tables.get_meta(db, "stream", "") != stream:
                return
            at, body, request = row
            message = messages.decode(body)
            if isinstance(message, messages.Loss) and message.why == "parked":
                return
            now = self._clock.wall_ms()
            kept = body if request is None else _without_texts(body)
            db.execute("INSERT INTO _parked VALUES (?, ?, ?, ?, ?)", [number, stream, kept, now, reason])
            db.execute("DELETE FROM _parked WHERE rowid <= (SELECT max(rowid) FROM _parked) - ?", [PARKED])
            up = 0 if isinstance(message, messages.Unknown) else message.up
            loss = messages.Loss(at=at, up=up, why="parked", n=1, since=at, until=at)
            self._put(db, number, messages.encode(loss), None)

        return self._database.write(job)

    def renew(self, after: int | None = None, stream: str = "") -> Receipt[None]:
        """This disk is a copy, or was set back: begin a new stream, with what nobody else has said before.

        That is what follows `after`, the last number up to which headquarters has the same, or, if it cannot
        say that, what it has not acknowledged. It is counted from 1 again, in one transaction. Asked twice
        it is done once.
        """
        stream = stream or self.stream

        def job(db: "sqlite_utils.Database") -> None:
            if tables.get_meta(db, "stream", "") != stream:
                return
            agreed = tables.get_meta(db, "acked", 0) if after is None else after
            doubtful = db.execute("SELECT min(at) FROM _stream_up WHERE number > ?", [agreed]).fetchone()[0]
            since = self._time_of(db, agreed) or doubtful or self._clock.wall_ms()
            db.execute("DELETE FROM _stream_up WHERE number <= ?", [agreed])
            row = db.execute("SELECT number, run FROM _stream_up ORDER BY number LIMIT 1").fetchone()
            db.execute("UPDATE _stream_up SET number = number - ?, checksum = checksum - ?", [agreed, agreed])
            certain = after is not None and row is not None
            tables.set_meta(db, "stream", branch(stream, agreed, *row) if certain else secrets.token_hex(8))
            tables.set_meta(db, "acked", 0)
            self._floor = self._acked_at = 0
            if after is not None:
                now = self._clock.wall_ms()
                self.append(db, self._loss(Missing("", "copy", 0, since, now)))

        return self._database.write(job)

    # On the writer thread.

    def _begin(self, db: "sqlite_utils.Database") -> None:
        """Find or make the stream, and find out what was lost since it was last used."""
        self._begun = True
        known = self.tally.read()
        stream = tables.get_meta(db, "stream", "")
        if not _STREAM.fullmatch(stream):
            stream = known.stream or secrets.token_hex(8)
            tables.set_meta(db, "stream", stream)
            tables.set_meta(db, "acked", known.acked if known.stream == stream else 0)
        ours = known.stream == stream
        self._floor = known.last if ours else 0
        self._acked_at = known.acked_at if ours else 0
        self.tally.keep(missing=tuple(self._untold(db)))
        newest = db.execute("SELECT number, at FROM _stream_up ORDER BY number DESC LIMIT 1").fetchone()
        last, at = newest or (0, 0)
        salvaged = tables.get_meta(db, "salvaged", "")
        if salvaged or last < self._floor:
            log.error("the stream goes on behind %d; the newest message found is %d", self._floor, last)
            since = max(at, self._acked_at)
            lost = Missing(salvaged or secrets.token_hex(4), "damaged", 0, since, self._clock.wall_ms())
            self.tally.miss(lost)

    def _committed(self, db: "sqlite_utils.Database") -> None:
        if not self._begun:
            return
        before = (self.stream, self.last)
        try:
            if not tables.get_meta(db, "stream", ""):
                self._alone(db, self._begin)  # the disk was too full for it at the start
            if self.tally.read().missing:
                if self._untold(db):
                    self._alone(db, self._tell)
                self.tally.keep(missing=())
        finally:
            self._look(db)
            if (self.stream, self.last) != before:
                self._wake()

    def _alone(self, db: "sqlite_utils.Database", job: "Callable[[sqlite_utils.Database], None]") -> None:
        """Run a job of ours in a transaction of its own."""
        db.conn.execute("BEGIN IMMEDIATE")
        try:
            job(db)
            db.conn.commit()
        except BaseException:
            if db.conn.in_transaction:
                db.conn.rollback()
            raise

    def _tell(self, db: "sqlite_utils.Database") -> None:
        """Say what is missing, and remember that it is said: the tally may forget that."""
        missing = self._untold(db)
        for each in missing:
            loss = self._loss(each)
            self._add(db, loss.at, None, messages.encode(loss))
        told = [*tables.get_meta(db, "told", "").split(), *(each.id for each in missing)]
        tables.set_meta(db, "told", " ".join(told[-TOLD:]))
        db.execute("DELETE FROM _meta WHERE key = 'salvaged'")

    def _untold(self, db: "sqlite_utils.Database") -> list[Missing]:
        told = tables.get_meta(db, "told", "").split()
        return [each for each in self.tally.facts.missing if each.id not in told]

    def _loss(self, missing: Missing) -> messages.Loss:
        now, up = self._clock.wall_ms(), self._clock.monotonic_ms()
        missing = missing.seen_at(now, self.boot, up)
        since, until = missing.since, missing.until
        return messages.Loss(at=now, up=up, why=missing.why, n=missing.n, since=since, until=until)

    def _lost(self, count: int, age: int = 0) -> None:
        now, up = self._clock.wall_ms(), self._clock.monotonic_ms()
        self.tally.miss(Missing(secrets.token_hex(4), "disk", count, now - age, now, self.boot, up))

    def _put(self, db: "sqlite_utils.Database", number: int, body: bytes, request: str | None) -> None:
        """Another body under the same number."""
        query = "SELECT at, boot, run FROM _stream_up WHERE number = ?"
        at, boot, run = db.execute(query, [number]).fetchone()
        db.execute(
            "UPDATE _stream_up SET body = ?, request = ?, checksum = ? WHERE number = ?",
            [body, request, checksum(number, at, boot, run, request, body), number],
        )

    def _time_of(self, db: "sqlite_utils.Database", number: int) -> int:
        """When the message of this number was stored, or the newest one before it; 0 if there is none."""
        query = "SELECT at FROM _stream_up WHERE number <= ? ORDER BY number DESC LIMIT 1"
        row = db.execute(query, [number]).fetchone()
        return int(row[0]) if row else 0

    def _trim(self, db: "sqlite_utils.Database", last: int) -> None:
        # Only from the lower end, as far as it is old: after every acknowledgement, so without a look at all.
        acked = tables.get_meta(db, "acked", 0)
        young = db.execute(
            "SELECT number FROM _stream_up WHERE number <= ? AND at >= ? ORDER BY number LIMIT 1",
            [acked, self._clock.wall_ms() - KEEP],
        ).fetchone()
        low = max(young[0] if young else acked + 1, last - self._limit + 1, self._light(db, last))
        # The newest row always stays: its number is where SQLite counts on.
        db.execute("DELETE FROM _stream_up WHERE number < ?", [min(low, last)])

    def _light(self, db: "sqlite_utils.Database", last: int) -> int:
        """The lowest number from which on the bodies fit into the room there is, give or take one."""
        query = "SELECT number, total FROM _stream_up WHERE number >= ? ORDER BY number LIMIT 1"
        ends = [db.execute(query, [number]).fetchone() for number in (0, last)]
        if None in ends:
            return 0
        (low, lightest), (high, heaviest) = ends
        self._check_weight(db, low, high, heaviest - lightest)
        while low < high and heaviest - lightest > self._room:
            middle = (low + high) // 2
            number, total = db.execute(query, [middle]).fetchone()
            if heaviest - total > self._room:
                low = number + 1
            else:
                high = middle
        return int(low)

    def _check_weight(self, db: "sqlite_utils.Database", low: int, high: int, weight: int) -> None:
        """Raise damage if the running totals cannot be true: nothing may be let go for a wrong one."""
        impossible = not 0 <= weight <= (high - low) * MAX_MESSAGE
        if not impossible and weight - self._room > self._trim_every * MAX_MESSAGE:
            # More than can have come since the last look. Headers alone are read for this.
            query = "SELECT sum(length(body)) FROM _stream_up WHERE number > ?"
            impossible = db.execute(query, [low]).fetchone()[0] <= self._room
        if impossible:
            raise damage(f"messages {low} to {high} cannot weigh {weight}")

    def _look(self, db: "sqlite_utils.Database") -> None:
        stream = tables.get_meta(db, "stream", "")
        low = db.execute("SELECT min(number) FROM _stream_up").fetchone()[0]
        last = db.execute("SELECT max(number) FROM _stream_up").fetchone()[0]
        self.stream, self.low, self.last = stream, low or 0, last or 0
        known = self.tally.read()
        self._floor = max(self.last, known.last if known.stream == stream else 0)
        self.acked = max(0, min(tables.get_meta(db, "acked", 0), self._floor))
        self.stands = (stream, self.last, self.acked)
        self.tally.keep(stream=stream, last=self._floor, acked=self.acked, acked_at=self._acked_at)


def _without_texts(body: bytes) -> bytes:
    """A request as it may be kept with no end: which of its texts were sealed is not known here, so none."""
    message = messages.decode(body)
    if not isinstance(message, messages.Request):
        return b""
    return blank(
        body, [name for name, value in message.d.items() if not isinstance(value, int | float | None)]
    )


def _proved(rows: Iterable[tuple[Any, ...]]) -> Iterator[tuple[int, str, str, bytes]]:
    """Number, boot, run and body of rows that are what was stored; raises damage at the first that is not."""
    try:
        for row in rows:
            match row:
                case [int(number), int(at), str(boot), str(run), request, bytes(body), None]:
                    yield number, boot, run, body
                case [
                    int(number),
                    int(at),
                    str(boot),
                    str(run),
                    (None | str()) as request,
                    bytes(body),
                    proof,
                ]:
                    if proof != checksum(number, at, boot, run, request, body):
                        raise damage(f"message {number} is not what was stored")
                    yield number, boot, run, body
                case _:
                    raise damage(f"message {row[0]} is not of the types that were stored")
    except sqlite3.OperationalError as err:
        if getattr(err, "sqlite_errorcode", None) is None:
            # Python's own words for a text that is none.
            raise damage(str(err)) from err
        raise
