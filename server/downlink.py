"""What goes down to stations: replies, pokes and acks, each station's stream through its own sender."""

import random
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from sqlalchemy import Connection

from protocol import frame as frames
from protocol.frame import FRAME_BYTES, FRAME_MESSAGES, Ack, Frame, Refusal
from protocol.messages import Down, Poke
from protocol.stream import Heard, Sender
from server import crash_points
from server.store import Store, content, down
from server.store.down import Row

Publish = Callable[[str, bytes], None]

LOOK_S: Final = 1.0  # between two looks at the table for one station that speaks of another stream


@dataclass
class Line:
    """One station's stream down: its name and sender, and when the table was last looked at (monotonic s)."""

    name: str
    sender: Sender
    looked: float = field(default_factory=time.monotonic)


class Downlink:
    """Owns the senders of all stations. Used by one thread; `publish(station, frame)` carries frames away.

    What a transaction adds is only sent after `committed`; after a rollback `forget` drops what memory knew.
    Other collectors may write the same streams: the table decides, and memory is only what it said last.
    """

    def __init__(self, publish: Publish, wall_ms: Callable[[], int]) -> None:
        self._publish = publish
        self._wall_ms = wall_ms
        self._boot: Final = secrets.token_hex(8)
        self._run: Final = secrets.token_hex(8)
        self._lines: dict[str, Line] = {}
        self._there: set[str] = set()
        self._fresh: dict[str, int] = {}  # stored in the open transaction: station to newest number
        self._before: dict[str, int] = {}  # and the newest number before it
        self._busy: set[str] = set()

    def say(self, conn: Connection, station: str, messages: Sequence[Down], now: int) -> None:
        """Store messages for a station in the caller's transaction."""
        self._line(conn, station)  # as it was before: what is not sent yet cannot be acknowledged
        self._note(station, down.append(conn, station, messages, now, self._run), len(messages))

    def announce(self, conn: Connection, stations: Iterable[str], now: int) -> int:
        """Poke the stations whose collections have changed; how many were poked."""
        every, poked = set(stations), set()
        for name, scopes in sorted(content.unannounced(conn).items()):
            chosen = every if "" in scopes else every & scopes
            if chosen:
                poke = Poke(at=now, collections=[name])
                for station, last in down.append_to(conn, chosen, poke, now, self._run).items():
                    self._note(station, last, 1)
                poked |= chosen
        content.announced(conn)
        return len(poked)

    def acknowledged(self, conn: Connection, station: str, ack: Ack, now: int) -> None:
        """A station says what it owns of its stream, in the caller's transaction."""
        line, when = self._line(conn, station), time.monotonic()
        if ack.stream != line.name:
            if when - line.looked < LOOK_S:
                return  # it will hear of its new stream by that stream's first frame
            line = self._look(conn, station)
            if ack.stream != line.name:
                return
        if ack.upto == line.sender.acked and not line.sender.pending and not ack.fork:
            return
        before = line.sender.acked
        heard = line.sender.acknowledged(ack.upto, when, ack.of, ack.run, ack.fork)
        if heard is Heard.FORK:
            self._fork(conn, station, ack, now)
        elif heard is Heard.FINE:
            self._own(conn, station, before)
        elif not ack.fork and max(ack.of, ack.upto) > before:
            # News about what this process has not sent: another collector has, or its predecessor, or the
            # database was restored from an older backup.
            self._compare(conn, station, ack, now)
        self._busy.add(station)

    def committed(self) -> None:
        """The transaction is on disk: what it stored may leave."""
        for station, last in self._fresh.items():
            if line := self._lines.get(station):
                line.sender.stored(last)
            self._busy.add(station)
        self._fresh.clear()
        self._before.clear()

    def forget(self) -> None:
        """The transaction was rolled back."""
        self._lines.clear()
        self._fresh.clear()
        self._before.clear()
        self._busy |= self._there

    def look(self, conn: Connection) -> None:
        """Find what other collectors have said and may not live to send."""
        for head in down.waiting(conn):
            line = self._lines.get(head.station)
            if line is None or (line.name, line.sender.last) != (head.name, head.last):
                self._take_over(head)
                self._busy.add(head.station)

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

    def pump(
        self, store: Store, acks: Iterable[tuple[str, Ack]], refused: Mapping[str, Refusal] | None = None
    ) -> None:
        """Send what is due: messages with a piggybacked ack, and the other acks and refusals alone."""
        now, rest, refusals = time.monotonic(), list(acks), dict(refused or {})
        for station, ack in rest:
            self._carry(station, self._empty(station, ack, refusals.pop(station, None)))
        for station, refusal in refusals.items():
            self._carry(station, self._empty(station, None, refusal))
        busy = [station for station in self._busy if station in self._there]
        if busy:
            with store.read() as conn:
                for station in busy:
                    self._send(conn, station, now)

    def _send(self, conn: Connection, station: str, now: float) -> None:
        line = self._line(conn, station)
        sender = line.sender
        while (first := sender.due(now)) is not None:
            rows = down.read(conn, station, first - 1, FRAME_MESSAGES + 1)
            prior = rows.pop(0) if rows and rows[0].number < first else None
            chosen = _together(rows, 1 if sender.alone else FRAME_MESSAGES)
            if not chosen:
                self._busy.discard(station)  # deleted here: nothing to send again
                break
            begins, run = chosen[0].number, chosen[0].run
            frame = Frame(
                v=frames.VERSION,
                stream=line.name,
                first=begins,
                run=run,
                prior=prior.run if prior is not None else "",
                # What is pruned is pruned from the front: below a hole there is nothing.
                low=begins if begins > first and prior is None else 0,
                gone=first if begins > first else 0,
                msgs=[msgspec.Raw(row.body) for row in chosen],
            )
            self._carry(station, frame)
            sender.sent(chosen[-1].number, now, run)
        if not sender.pending:
            self._busy.discard(station)

    def _empty(self, station: str, ack: Ack | None, refusal: Refusal | None) -> Frame:
        name = self._lines[station].name if station in self._lines else "none"
        return Frame(v=frames.VERSION, stream=name, first=1, ack=ack, refused=refusal)

    def _carry(self, station: str, frame: Frame) -> None:
        stamped = msgspec.structs.replace(
            frame, boot=self._boot, sent=self._wall_ms(), up=time.monotonic_ns() // 1_000_000
        )
        if frame.ack is not None:
            crash_points.reach("before_ack")
        self._publish(station, frames.encode(stamped))
        if frame.ack is not None:
            crash_points.reach("after_ack")

    # -- memory and table -------------------------------------------------------------------------------

    def _note(self, station: str, last: int, n: int) -> None:
        self._before.setdefault(station, last - n)
        self._fresh[station] = last

    def _line(self, conn: Connection, station: str) -> Line:
        if station not in self._lines:
            self._open(down.head(conn, station))
        return self._lines[station]

    def _open(self, head: down.Head) -> None:
        self._lines[head.station] = Line(head.name, Sender(head.last, head.acked, random.random))

    def _look(self, conn: Connection, station: str) -> Line:
        """The line as the table has it by now."""
        self._take_over(down.head(conn, station))
        return self._lines[station]

    def _take_over(self, head: down.Head) -> None:
        line = self._lines.get(head.station)
        if line is None or line.name != head.name:
            self._open(head)
            return
        line.looked = time.monotonic()
        # What this very transaction adds has not been sent, and so cannot be acknowledged.
        line.sender.stored(self._before.get(head.station, head.last))
        if head.acked != line.sender.acked:
            line.sender.acknowledged(head.acked, line.looked)

    def _own(self, conn: Connection, station: str, before: int) -> None:
        acked = self._lines[station].sender.acked
        if acked != before:
            down.acknowledged(conn, station, acked, back=acked < before)

    def _fork(self, conn: Connection, station: str, ack: Ack, now: int) -> None:
        """The station has other messages behind `ack.of` than we: say ours again in a new stream."""
        if self._look(conn, station).name == ack.stream:
            self._restart(conn, station, now, ack.of)

    def _compare(self, conn: Connection, station: str, ack: Ack, now: int) -> None:
        line = self._look(conn, station)
        if line.name != ack.stream:
            return
        sender = line.sender
        if ack.upto > sender.last:
            # It owns more than was ever said here: this database was restored from an older backup.
            self._restart(conn, station, now, sender.acked)
            return
        proven = ack.upto if not ack.of else min(ack.upto, ack.of)
        before = sender.acked
        if proven > before and (not ack.of or down.writer(conn, station, ack.of) == ack.run):
            sender.acknowledged(proven, time.monotonic())
            self._own(conn, station, before)

    def _restart(self, conn: Connection, station: str, now: int, after: int) -> None:
        head = down.restart(conn, station, now, after)
        self._open(head)
        self._fresh[station] = head.last


def _together(rows: Sequence[Row], limit: int) -> Sequence[Row]:
    """The rows from the first one on that fit into one frame: consecutive, of one run, and not too long."""
    size = 0
    for n, row in enumerate(rows):
        size += len(row.body)
        if n and (
            n >= limit or size > FRAME_BYTES or row.run != rows[0].run or row.number != rows[0].number + n
        ):
            return rows[:n]
    return rows[:limit]
