"""The durable stream down: stored before it is acknowledged, kept until it is handled."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kiosk.clock import Clock
from kiosk.database import Database
from kiosk.receipt import Receipt
from protocol.stream import Acceptance, Fork, Receiver

if TYPE_CHECKING:
    import sqlite_utils

    from protocol.frame import Frame

ATTEMPTS: Final = 5  # deliveries of one message to a plugin that fails on it
STREAMS: Final = 8  # of earlier servers whose cursors are remembered
PARTS: Final = 64  # runs of one stream that are remembered


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
            for stream, upto in db.execute(
                "SELECT stream, upto FROM _down_cursor WHERE typeof(upto) = 'integer' ORDER BY rowid"
            ):
                self._receivers[stream], self.newest = Receiver(max(0, upto)), stream
            for stream, first, run in db.execute(
                "SELECT stream, first, run FROM _down_part WHERE typeof(first) = 'integer' ORDER BY first"
            ):
                if stream in self._receivers:
                    self._receivers[stream].parts.append((first, str(run)))
            db.execute("DELETE FROM _down_inbox WHERE attempts >= ?", [ATTEMPTS])
            rows = db.execute("SELECT id, CAST(body AS BLOB) FROM _down_inbox ORDER BY id")
            return [Letter(*row) for row in rows]

        return self._database.write(job)

    def offer(self, frame: "Frame") -> Acceptance | Fork | None:
        """Judge a frame; None means that there is nothing new in it."""
        receiver = self._receivers.setdefault(frame.stream, Receiver())
        return receiver.offer(frame.first, len(frame.msgs), frame.low, frame.gone, frame.run, frame.prior)

    def upto(self, stream: str) -> int:
        """The last number of the stream that is stored here."""
        receiver = self._receivers.get(stream)
        return receiver.upto if receiver else 0

    def store(self, stream: str, acceptance: Acceptance, bodies: list[bytes], run: str = "") -> list[Letter]:
        """Store the bodies to be handled and the cursor in one transaction; waits for the disk."""
        receiver = self._receivers.setdefault(stream, Receiver())
        goes_on = bool(receiver.parts) and receiver.parts[-1][1] == run

        def job(db: "sqlite_utils.Database") -> list[Letter]:
            letters = []
            for body in bodies:
                cursor = db.execute("INSERT INTO _down_inbox (body) VALUES (?)", [body])
                letters.append(Letter(cursor.lastrowid or 0, body))
            db.execute(
                "INSERT OR REPLACE INTO _down_cursor VALUES (?, ?, ?)",
                [stream, acceptance.upto, self._clock.wall_ms()],
            )
            if not goes_on:
                self._note_part(db, stream, receiver.upto + 1, run)
            return letters

        letters = self._database.write(job).wait().value
        receiver.stored(acceptance, run)
        del receiver.parts[:-PARTS]
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

    def _note_part(self, db: "sqlite_utils.Database", stream: str, first: int, run: str) -> None:
        """Remember who goes on with the stream, and forget streams and parts of long ago."""
        db.execute("INSERT OR REPLACE INTO _down_part VALUES (?, ?, ?)", [stream, first, run])
        db.execute(
            "DELETE FROM _down_part WHERE stream = ? AND first <"
            " (SELECT min(first) FROM (SELECT first FROM _down_part WHERE stream = ?"
            " ORDER BY first DESC LIMIT ?))",
            [stream, stream, PARTS],
        )
        db.execute(
            "DELETE FROM _down_cursor WHERE stream NOT IN"
            " (SELECT stream FROM _down_cursor ORDER BY stream = ? DESC, at DESC LIMIT ?)",
            [stream, STREAMS],
        )
        db.execute("DELETE FROM _down_part WHERE stream NOT IN (SELECT stream FROM _down_cursor)")


def _run(db: "sqlite_utils.Database", sql: str, letter: Letter) -> None:
    db.execute(sql, [letter.id])
