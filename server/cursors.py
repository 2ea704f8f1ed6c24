"""Where each stream stands, which runs wrote it, and what that tells: holes, new beginnings, two machines."""

from typing import Final

from sqlalchemy import Connection, select

from protocol import messages
from protocol.frame import Frame
from protocol.messages import Unknown
from protocol.stream import Acceptance, Fork, Receiver
from server.store import clones, gaps, parts, streams
from server.store.clones import Machine
from server.store.parts import Part
from server.store.schema import station as station_table
from server.store.streams import Cursor
from server.times import FLOOR_MS, Stamp, Timekeeper

#: What an old connection sent may still arrive for a moment when a new stream has begun; a machine that lives
#: speaks again.
LATE_MS: Final = 10_000


class Cursors:
    """Remembers the cursors of all streams up. Used by one thread; `forget` after a rollback."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Cursor] = {}
        self._newest: dict[str, int] = {}  # of each station, the stream that began last
        self._seen = 0  # streams up to this row are in `_newest`

    def forget(self) -> None:
        """Memory may be ahead of the database: read it again when needed."""
        self._known.clear()
        self._newest.clear()
        self._seen = 0

    def look(self, conn: Connection) -> None:
        """See which streams other collectors have begun; once a transaction, before its frames."""
        for station, newest in streams.newest(conn, self._seen).items():
            self._began(station, newest)

    def find(self, conn: Connection, station: str, name: str, now: int) -> Cursor | None:
        """The cursor of a stream, begun if new; None if the stream belongs to another station."""
        cursor = self._known.get((station, name))
        if cursor is None:
            cursor = streams.find(conn, station, name)
            if cursor is None:
                if streams.owner(conn, name) is not None:
                    return None
                cursor = streams.begin(conn, station, name, FLOOR_MS, now)
                self._began(station, cursor.id)
            self._known[station, name] = cursor
        return cursor

    def judge(self, conn: Connection, cursor: Cursor, frame: Frame) -> Acceptance | Fork | None:
        """What becomes of a frame: see `Receiver.offer`."""
        written: list[tuple[int, str]] = []
        if cursor.part is not None:
            if (frame.gone or frame.first) > cursor.part.first:
                written = [(cursor.part.first, cursor.part.run)]
            else:
                before = max(1, (frame.gone or frame.first) - 1)
                written = [(each.first, each.run) for each in parts.behind(conn, cursor.id, before)]
        return Receiver(cursor.upto, written).offer(
            frame.first, len(frame.msgs), frame.low, frame.gone, frame.run, frame.prior
        )

    def go_on(
        self, conn: Connection, cursor: Cursor, frame: Frame, accepted: Acceptance, now: int
    ) -> str | None:
        """Note who writes the new messages of a frame, and what is missing before them.

        Which two machines, as `clones` writes it, if they show that two speak as this station. Called before
        they are stored.
        """
        alarm = self._older_stream(conn, cursor, frame, now) or self._older_run(conn, cursor, frame, now)
        self._missing(conn, cursor, frame, accepted, now)
        if cursor.part is None or not _same(cursor.part, frame):
            cursor.part = Part(frame.first + accepted.skip, frame.run, frame.boot, now)
            parts.begin(conn, cursor.id, cursor.part)
        return alarm

    def earliest(self, conn: Connection, cursor: Cursor) -> int:
        """The latest time (ms) before which nothing of what this stream will say can have happened."""
        if cursor.last_at > FLOOR_MS:
            return cursor.last_at
        other = streams.latest(conn, cursor.station, but=cursor.id)
        if other is not None:
            return other.last_at
        added = select(station_table.c.added_at).where(station_table.c.id == cursor.station)
        return max(FLOOR_MS, conn.scalar(added) or 0)

    def _began(self, station: str, stream_id: int) -> None:
        self._newest[station] = max(stream_id, self._newest.get(station, 0))
        self._seen = max(stream_id, self._seen)

    def _missing(
        self, conn: Connection, cursor: Cursor, frame: Frame, accepted: Acceptance, now: int
    ) -> None:
        """Record numbers that are gone, and what an older stream of the station may have kept to itself."""
        if accepted.lost is None and cursor.upto > 0:
            return
        until = _begins(cursor, frame, accepted, now)
        if accepted.lost is not None:
            first, last = accepted.lost
            streams.record_lost(conn, cursor, first, last, now)
            since = self.earliest(conn, cursor)
            gaps.record(conn, cursor.station, since, until, gaps.LOST, last - first + 1, now)
        if cursor.upto == 0:
            older = streams.latest(conn, cursor.station, but=cursor.id)
            if older is not None and older.last_at < until:
                gaps.record(conn, cursor.station, older.last_at, until, gaps.NEW_STREAM, 0, now)

    def _older_stream(self, conn: Connection, cursor: Cursor, frame: Frame, now: int) -> str | None:
        """New messages of a stream beside which a newer one has begun: its machine lives on."""
        newest = self._newest.get(cursor.station, cursor.id)
        if cursor.id >= newest:
            self._newest[cursor.station] = cursor.id
            return None
        newer = streams.get(conn, newest)
        claimed = select(station_table.c.claimed_at).where(station_table.c.id == cursor.station)
        if newer.heard_at <= (conn.scalar(claimed) or 0):
            # It spoke with credentials that are no longer good: the claim has settled which machine it is.
            self._newest[cursor.station] = cursor.id
            return None
        began = streams.first_at(conn, newest)
        if now - began <= LATE_MS:
            return None
        return self._alarm(conn, newer, parts.last(conn, newest), frame, began, now)

    def _older_run(self, conn: Connection, cursor: Cursor, frame: Frame, now: int) -> str | None:
        """New messages of a run after which another one has begun to write the same stream."""
        part = cursor.part
        if part is None or _same(part, frame):
            return None
        older = parts.earlier(conn, cursor.id, frame.run, frame.boot)
        if older is None:
            return None
        between = parts.behind(conn, cursor.id, older.first)
        if not frame.run and any(each.run for each in between):
            return None  # a release that names its runs was tried in between
        return self._alarm(conn, cursor, part, frame, part.at, now)

    def _alarm(
        self, conn: Connection, newer: Cursor, part: Part | None, frame: Frame, since: int, now: int
    ) -> str:
        """`part` of `newer` began at `since`; the older one is heard now, in `frame`."""
        if not gaps.open_clone(conn, newer.station):
            gaps.record(conn, newer.station, since, None, gaps.CLONE, 0, now)
        run, boot = (part.run, part.boot) if part is not None else ("", newer.boot)
        one = Machine(newer.name, run, boot, newer.heard_at)
        return clones.written((one, Machine(frame.stream, frame.run, frame.boot, now)))


def _same(part: Part, frame: Frame) -> bool:
    """Whether a frame goes on with this part. Releases that do not name their runs are told by their boot."""
    return part.run == frame.run if part.run or frame.run else part.boot == frame.boot


def _begins(cursor: Cursor, frame: Frame, accepted: Acceptance, now: int) -> int:
    """When the first new message of a frame happened; its arrival where that cannot be known."""
    message = messages.decode(frame.msgs[accepted.skip])
    if isinstance(message, Unknown):
        return now
    time = Timekeeper(frame.sent, frame.up, now, cursor.last_at)
    stamp: Stamp = time.judge(message.at, message.up)
    return now if stamp[1] == "unsure" else stamp[0]
