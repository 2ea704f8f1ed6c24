"""What goes down to stations: replies, pokes and acks, each station's stream through its own sender."""

import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import Connection

from protocol import frame as frames
from protocol.frame import FRAME_BYTES, FRAME_MESSAGES, Ack, Frame
from protocol.messages import Down, Poke
from protocol.stream import Heard, Sender
from server.store import Store, content, down

Publish = Callable[[str, bytes], None]


@dataclass
class Line:
    """One station's stream down: its name, its sender, and whether the station is there to hear."""

    name: str
    sender: Sender
    there: bool = False


class Downlink:
    """Owns the senders of all stations. Used by one thread; `publish(station, frame)` carries frames away.

    What a transaction adds is only sent after `committed`; after a rollback `forget` drops what memory knew.
    """

    def __init__(self, publish: Publish, wall_ms: Callable[[], int]) -> None:
        self._publish = publish
        self._wall_ms = wall_ms
        self._boot: Final = secrets.token_hex(8)
        self._lines: dict[str, Line] = {}
        self._there: set[str] = set()
        self._fresh: dict[str, int] = {}  # stored in the open transaction: station to newest number
        self._busy: set[str] = set()

    def say(self, conn: Connection, station: str, messages: Sequence[Down], now: int) -> None:
        """Store messages for a station in the caller's transaction."""
        self._line(conn, station)  # as it was before: what is not sent yet cannot be acknowledged
        self._fresh[station] = down.append(conn, station, messages, now)

    def announce(self, conn: Connection, stations: Iterable[str], now: int) -> int:
        """Poke the stations whose collections have changed; how many were poked."""
        every, poked = set(stations), set()
        for name, scopes in sorted(content.unannounced(conn).items()):
            chosen = every if "" in scopes else every & scopes
            if chosen:
                last = down.append_to(conn, chosen, Poke(at=now, collections=[name]), now)
                self._fresh.update(last)
                poked |= chosen
        content.announced(conn)
        return len(poked)

    def acknowledged(self, conn: Connection, station: str, ack: Ack, now: int) -> None:
        """A station says what it owns of its stream."""
        line = self._line(conn, station)
        if ack.stream != line.name or (ack.upto == line.sender.acked and not line.sender.pending):
            return
        before = line.sender.acked
        if line.sender.acknowledged(ack.upto, time.monotonic()) is Heard.BEYOND:
            # It owns more than was ever said here: this database was restored from an older backup.
            self._lines[station] = self._open(down.restart(conn, station, now))
            self._fresh[station] = self._lines[station].sender.last
        elif line.sender.acked != before:
            down.acknowledged(conn, [(station, ack.upto)])
        self._busy.add(station)

    def committed(self) -> None:
        """The transaction is on disk: what it stored may leave."""
        for station, last in self._fresh.items():
            if line := self._lines.get(station):
                line.sender.stored(last)
            self._busy.add(station)
        self._fresh.clear()

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._lines.clear()
        self._fresh.clear()
        self._busy |= self._there

    def connected(self, station: str) -> None:
        """A station has a new connection: what was in flight is gone."""
        self._there.add(station)
        self._busy.add(station)
        if line := self._lines.get(station):
            line.sender.connected()

    def heard(self, station: str) -> None:
        """A station spoke: it is there, whether or not its birth was seen."""
        if station not in self._there:
            self.connected(station)

    def reconnected(self) -> None:
        """The broker was away: for every station nothing is in flight, and births will be said again."""
        for line in self._lines.values():
            line.sender.connected()
        self._busy |= self._there

    def gone(self, station: str) -> None:
        """A station's connection has ended."""
        self._there.discard(station)
        self._busy.discard(station)

    def pump(self, store: Store, acks: Mapping[str, Ack]) -> None:
        """Send what is due: messages with a piggybacked ack, and the acks of the others alone."""
        now, rest = time.monotonic(), dict(acks)
        busy = [station for station in self._busy if station in self._there]
        if busy:
            with (
                store.write() if any(station not in self._lines for station in busy) else store.read() as conn
            ):
                for station in busy:
                    self._send(conn, station, now, rest)
        for station, ack in rest.items():
            name = self._lines[station].name if station in self._lines else "-"
            self._carry(station, Frame(v=frames.VERSION, stream=name, first=1, ack=ack))

    def _send(self, conn: Connection, station: str, now: float, acks: dict[str, Ack]) -> None:
        sender = self._line(conn, station).sender
        while (first := sender.due(now)) is not None:
            found = down.read(conn, station, first, FRAME_MESSAGES)
            bodies: list[msgspec.Raw] = []
            size = 0
            for _, body in found:
                size += len(body)
                if bodies and size > FRAME_BYTES:
                    break
                bodies.append(msgspec.Raw(body))
            if not bodies:
                self._busy.discard(station)  # deleted here: nothing to send again
                break
            asked, first = first, found[0][0]
            self._carry(
                station,
                Frame(
                    v=frames.VERSION,
                    stream=self._lines[station].name,
                    first=first,
                    low=first if first > asked else 0,
                    gone=asked if first > asked else 0,
                    ack=acks.pop(station, None),
                    msgs=bodies,
                ),
            )
            sender.sent(first + len(bodies) - 1, now)
        if not sender.pending:
            self._busy.discard(station)

    def _carry(self, station: str, frame: Frame) -> None:
        stamped = msgspec.structs.replace(
            frame, boot=self._boot, sent=self._wall_ms(), up=time.monotonic_ns() // 1_000_000
        )
        self._publish(station, frames.encode(stamped))

    def _line(self, conn: Connection, station: str) -> Line:
        if station not in self._lines:
            self._lines[station] = self._open(down.head(conn, station))
        return self._lines[station]

    def _open(self, head: down.Head) -> Line:
        return Line(head.name, Sender(head.last, head.acked, random.random))
