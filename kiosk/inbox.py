"""The durable stream down: stored before it is acknowledged, kept until it is handled."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kiosk.clock import Clock
from kiosk.database import Database
from kiosk.receipt import Receipt
from protocol.stream import Acceptance, Receiver

if TYPE_CHECKING:
    import sqlite_utils

ATTEMPTS: Final = 5  # deliveries of one message to a plugin that fails on it
STREAMS: Final = 8  # of earlier servers whose cursors are remembered


@dataclass(frozen=True)
class Letter:
    """One stored message that waits to be handled."""

    id: int
    body: bytes


class Inbox:
    """Cursors of the server's streams, and the messages that wait. `newest` names the stream heard last."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.newest = ""
        self._receivers: dict[str, Receiver] = {}

    def load(self) -> Receipt[list[Letter]]:
        """Read the cursors; the value is what an earlier run has left unhandled."""

        def job(db: "sqlite_utils.Database") -> list[Letter]:
            # Each note of a cursor is a new row: their order needs no clock.
            for stream, upto in db.execute("SELECT stream, upto FROM _down_cursor ORDER BY rowid"):
                self._receivers[stream], self.newest = Receiver(upto), stream
            db.execute("DELETE FROM _down_inbox WHERE attempts >= ?", [ATTEMPTS])
            return [Letter(*row) for row in db.execute("SELECT id, body FROM _down_inbox ORDER BY id")]

        return self._database.write(job)

    def offer(self, stream: str, first: int, count: int, low: int) -> Acceptance | None:
        """Judge a frame; None means that there is nothing new in it."""
        return self._receivers.setdefault(stream, Receiver()).offer(first, count, low)

    def upto(self, stream: str) -> int:
        """The last number of the stream that is stored here."""
        receiver = self._receivers.get(stream)
        return receiver.upto if receiver else 0

    def store(self, stream: str, acceptance: Acceptance, bodies: list[bytes]) -> list[Letter]:
        """Store the bodies to be handled and the cursor in one transaction; waits for the disk."""

        def job(db: "sqlite_utils.Database") -> list[Letter]:
            letters = []
            for body in bodies:
                cursor = db.execute("INSERT INTO _down_inbox (body) VALUES (?)", [body])
                letters.append(Letter(cursor.lastrowid or 0, body))
            db.execute(
                "INSERT OR REPLACE INTO _down_cursor VALUES (?, ?, ?)",
                [stream, acceptance.upto, self._clock.wall_ms()],
            )
            db.execute(
                "DELETE FROM _down_cursor WHERE stream NOT IN"
                " (SELECT stream FROM _down_cursor ORDER BY stream = ? DESC, at DESC LIMIT ?)",
                [stream, STREAMS],
            )
            return letters

        letters = self._database.write(job).wait().value
        self._receivers[stream].stored(acceptance)
        self.newest = stream
        return letters

    def handled(self, letter: Letter) -> Receipt[None]:
        """The message has done its work."""
        return self._database.write(lambda db: _run(db, "DELETE FROM _down_inbox WHERE id = ?", letter))

    def failed(self, letter: Letter) -> Receipt[None]:
        """The plugin failed on the message: it comes again after the next start, a few times."""
        return self._database.write(
            lambda db: _run(db, "UPDATE _down_inbox SET attempts = attempts + 1 WHERE id = ?", letter)
        )


def _run(db: "sqlite_utils.Database", sql: str, letter: Letter) -> None:
    db.execute(sql, [letter.id])
