"""What one ingest transaction will write, and what it asks of the line down once it is committed."""

from dataclasses import dataclass, field
from operator import attrgetter

import msgspec
from sqlalchemy import Connection

from protocol.frame import Ack, Refusal
from server.store import messages as raw_messages
from server.store import presence, refusals, rollups, streams, watermarks
from server.store.messages import MessageRow
from server.store.refusals import Tally
from server.store.streams import Cursor
from server.store.watermarks import Mark


@dataclass
class Outcome:
    """What a committed batch asks of the line down: answers, and who was heard.

    `acks` has one for each station and stream: two machines with one disk may speak in two.
    """

    acks: dict[tuple[str, str], Ack] = field(default_factory=dict)
    refused: dict[str, Refusal] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    stored: int = 0
    served: bool = False  # a service ran, and may have changed content

    def answer(self, station: str, ack: Ack) -> None:
        """Of several frames of a stream the last one is answered, unless one shows that a disk is a copy."""
        key = (station, ack.stream)
        said = max(ack, self.acks.get(key, ack), key=attrgetter("fork", "of"))
        self.acks[key] = msgspec.structs.replace(said, upto=max(said.upto, ack.upto))

    def merge(self, other: "Outcome") -> None:
        """Add what another transaction of the same batch asks for."""
        for (station, _), ack in other.acks.items():
            self.answer(station, ack)
        self.refused.update(other.refused)
        self.heard |= other.heard
        self.stored += other.stored
        self.served |= other.served


@dataclass
class Batch:
    """What one transaction will write. With `singly` each message is in a savepoint of its own."""

    tally: Tally
    outcome: Outcome = field(default_factory=Outcome)
    rows: list[MessageRow] = field(default_factory=list)
    counts: dict[rollups.Key, int] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    moves: dict[int, tuple[Cursor, int]] = field(default_factory=dict)
    present: dict[str, int] = field(default_factory=dict)
    reloaded: bool = False
    singly: bool = False

    def write(self, conn: Connection, now: int) -> None:
        """Write it all; Raced if another collector has moved one of the cursors."""
        self.write_messages(conn)
        refusals.store(conn, self.tally, now)
        streams.advance(conn, self.moves.values())
        presence.heard(conn, self.present)

    def write_messages(self, conn: Connection) -> None:
        """Write the messages, and what is counted from them."""
        raw_messages.store(conn, self.rows)
        rollups.add(conn, self.counts)
        watermarks.move(conn, self.marks.values())
