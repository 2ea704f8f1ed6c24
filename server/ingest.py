"""From bytes to tables: a batch of frames, their messages, effects and cursors in one transaction."""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from protocol import frame as frames
from protocol import messages
from protocol.errors import EventError, FrameError
from protocol.frame import Ack, Frame
from protocol.manifest import Manifest
from protocol.messages import Event, Fault, Heartbeat, Request, Unknown
from protocol.stream import Receiver
from server.answers import Answers
from server.downlink import Downlink
from server.services import SERVICES, Service
from server.store import (
    Store,
    faults,
    presence,
    refusals,
    rollups,
    stations,
    streams,
    watermarks,
)
from server.store import messages as raw_messages
from server.store.messages import MessageRow
from server.store.refusals import Tally
from server.store.rollups import HOUR_MS
from server.store.streams import Cursor, Raced
from server.store.watermarks import Mark
from server.times import FLOOR_MS, Timekeeper

log = logging.getLogger(__name__)

RACES: Final = 5

_KINDS: Final = {
    Event: "event",
    Request: "request",
    Heartbeat: "heartbeat",
    Fault: "fault",
    Unknown: "unknown",
}


@dataclass(frozen=True)
class Arrival:
    """Bytes that came on a station's topic, and when (ms)."""

    station: str
    payload: bytes
    at: int


@dataclass
class Outcome:
    """What a committed batch asks of the line down: acks, and who was heard."""

    acks: dict[str, Ack] = field(default_factory=dict)
    heard: set[str] = field(default_factory=set)
    stored: int = 0
    served: bool = False  # a service ran, and may have changed content


@dataclass
class _Batch:
    """What one transaction will write."""

    tally: Tally
    outcome: Outcome = field(default_factory=Outcome)
    rows: list[MessageRow] = field(default_factory=list)
    counts: dict[rollups.Key, int] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    moves: dict[int, tuple[Cursor, int]] = field(default_factory=dict)
    present: dict[str, int] = field(default_factory=dict)
    reloaded: bool = False
    singly: bool = False  # each message in a savepoint of its own


class Ingest:
    """Owns the cursors of all up streams. Used by one thread."""

    def __init__(
        self,
        store: Store,
        manifests: Mapping[str, Manifest],
        downlink: Downlink,
        services: Mapping[str, Service] = SERVICES,
    ) -> None:
        self._store = store
        self._downlink = downlink
        self._answers = Answers(manifests, services, downlink)
        self._dims = rollups.Dims(manifests)
        self._stations: frozenset[str] = frozenset()
        self._cursors: dict[tuple[str, str], Cursor] = {}
        self._boots: dict[int, list[str]] = {}
        self._newest: dict[str, int] = {}
        self.presences: dict[str, presence.Presence] = {}
        with store.read() as conn:
            self.reload(conn)
            self.presences = presence.every(conn)

    def reload(self, conn: Connection) -> None:
        """Stations were added, claimed or revoked."""
        self._stations = frozenset(stations.active(conn))

    def knows(self, station: str) -> bool:
        """Whether this station may speak."""
        return station in self._stations

    def take(self, arrivals: Sequence[Arrival]) -> Outcome:
        """Store a batch and say what to acknowledge. OperationalError, Raced: nothing is stored or acked.

        What the database cannot take, for whatever reason of its own, never blocks the rest: the batch is
        then taken frame by frame, and such a frame message by message.
        """
        tally, now = Tally(), max((arrival.at for arrival in arrivals), default=0)
        decoded: list[tuple[Arrival, Frame]] = []
        for arrival in arrivals:
            try:
                decoded.append((arrival, frames.decode(arrival.payload)))
            except FrameError as err:
                tally.add(err.reason, arrival.station, arrival.payload, str(err))
        try:
            return self._commit(decoded, tally, now)
        except (OperationalError, Raced):
            raise
        except Exception as err:
            log.exception("A batch of %d frames could not be stored", len(decoded))
            if len(decoded) > 1:
                return self._one_by_one(decoded, tally, now)
            return self._singly(decoded, tally, now, err)

    def _singly(
        self, decoded: list[tuple[Arrival, Frame]], tally: Tally, now: int, err: Exception
    ) -> Outcome:
        try:
            return self._commit(decoded, tally, now, singly=True)
        except (OperationalError, Raced):
            raise
        except Exception:
            log.exception("A frame could not be stored, not even message by message")
            for arrival, _ in decoded:
                tally.add("store", arrival.station, arrival.payload, repr(err))
            return self._commit([], tally, now)

    def take_waiting(self, now: int) -> bool:
        """Try again the requests that got no answer; whether a service ran, and may have changed content."""
        return self._answers.take_waiting(self._store, now)

    def _one_by_one(self, decoded: list[tuple[Arrival, Frame]], tally: Tally, now: int) -> Outcome:
        whole = self._commit([], tally, now)
        for arrival, _ in decoded:
            part = self.take([arrival])
            whole.acks.update(part.acks)
            whole.stored += part.stored
            whole.served |= part.served
            whole.heard |= part.heard
        return whole

    def _commit(
        self, decoded: list[tuple[Arrival, Frame]], tally: Tally, now: int, singly: bool = False
    ) -> Outcome:
        for _ in range(RACES):
            batch = _Batch(Tally(dict(tally.counts)), singly=singly)
            try:
                with self._store.write() as conn:
                    for arrival, frame in decoded:
                        self._frame(conn, batch, arrival, frame)
                    self._write(conn, batch, now)
            except Raced:
                self._forget()
                continue
            except BaseException:
                self._forget()
                raise
            self._downlink.committed()
            return batch.outcome
        raise Raced

    def _forget(self) -> None:
        """Memory may be ahead of the database: read it again when needed."""
        self._cursors.clear()
        self._downlink.forget()

    def _write(self, conn: Connection, batch: _Batch, now: int) -> None:
        self._write_messages(conn, batch)
        refusals.store(conn, batch.tally, now)
        streams.advance(conn, batch.moves.values())
        changed = []
        for station, at in batch.present.items():
            old = self.presences.get(station, presence.unknown(station))
            self.presences[station] = old.heard(at)
            changed.append(self.presences[station])
        presence.store(conn, changed)

    def _write_messages(self, conn: Connection, batch: _Batch) -> None:
        raw_messages.store(conn, batch.rows)
        rollups.add(conn, batch.counts)
        watermarks.move(conn, batch.marks.values())

    def _frame(self, conn: Connection, batch: _Batch, arrival: Arrival, frame: Frame) -> None:
        station = arrival.station
        if station not in self._stations and not batch.reloaded:
            self.reload(conn)  # claimed a moment ago?
            batch.reloaded = True
        if station not in self._stations:
            batch.tally.add("unknown_station", station)
            return
        batch.present[station] = arrival.at
        batch.outcome.heard.add(station)
        if frame.ack is not None:
            # Before its messages are answered: after a restore the stream down begins anew with the answers.
            self._downlink.acknowledged(conn, station, frame.ack, arrival.at)
        if not frame.msgs:
            return  # an ack alone asks for no ack
        cursor = self._cursor(conn, station, frame.stream, arrival.at)
        if cursor is None:
            batch.tally.add("foreign_stream", station, arrival.payload)
            return
        accepted = Receiver(cursor.upto).offer(frame.first, len(frame.msgs), frame.low)
        if accepted is not None:
            self._watch_clones(batch.tally, cursor, frame)
            if accepted.lost:
                streams.record_lost(conn, cursor, *accepted.lost, arrival.at)
                n = accepted.lost[1] - accepted.lost[0] + 1
                log.warning("Station %s has lost %d messages for good", station, n)
            batch.moves.setdefault(cursor.id, (cursor, cursor.upto))
            time = Timekeeper(frame.sent, frame.up, arrival.at, cursor.last_at)
            take = self._one_message_each if batch.singly else self._messages
            fresh = frame.msgs[accepted.skip :]
            take(conn, batch, cursor, arrival, time, frame.first + accepted.skip, fresh)
            cursor.upto, cursor.boot, cursor.last_at = accepted.upto, frame.boot, time.last_at
            batch.outcome.stored += len(fresh)
        batch.outcome.acks[station] = Ack(cursor.name, cursor.upto)

    def _one_message_each(
        self,
        conn: Connection,
        batch: _Batch,
        cursor: Cursor,
        arrival: Arrival,
        time: Timekeeper,
        first: int,
        raws: Sequence[msgspec.Raw],
    ) -> None:
        """As `_messages`, but written here; a message that cannot be stored is kept as unknown."""
        for number, raw in enumerate(raws, first):
            part, last_at = _Batch(Tally()), time.last_at
            try:
                with conn.begin_nested():
                    self._messages(conn, part, cursor, arrival, time, number, [raw])
                    self._write_messages(conn, part)
            except OperationalError:
                raise
            except Exception as err:
                log.exception("Message %d of station %s cannot be stored", number, arrival.station)
                time.last_at = last_at
                self._downlink.forget()  # what it was answered is undone
                batch.tally.add("store", arrival.station, bytes(raw), repr(err))
                row = _as_unknown(cursor.id, number, last_at, arrival.at, bytes(raw))
                self._keep_unknown(conn, row)
            else:
                batch.tally.merge(part.tally)
                batch.outcome.served |= part.outcome.served

    def _keep_unknown(self, conn: Connection, row: MessageRow) -> None:
        try:
            with conn.begin_nested():
                raw_messages.store(conn, [row])
        except OperationalError:
            raise
        except Exception:
            log.exception("Only the place of this message can be stored")
            raw_messages.store(conn, [(*row[:-1], "")])

    def _messages(
        self,
        conn: Connection,
        batch: _Batch,
        cursor: Cursor,
        arrival: Arrival,
        time: Timekeeper,
        first: int,
        raws: Sequence[msgspec.Raw],
    ) -> None:
        station, now = arrival.station, arrival.at
        rows, counts, dims, stream = batch.rows, batch.counts, self._dims, cursor.id
        for number, raw in enumerate(raws, first):
            # The hot loop of the server: plain tuples, and the common kind first.
            message, valid = messages.decode(raw), True
            if isinstance(message, Unknown):
                # A later release's type, or damage: kept as it came, in its place.
                body = bytes(raw)
                batch.tally.add("unknown_message", station, body, message.problem)
                rows.append(_as_unknown(stream, number, time.last_at, now, body))
                continue
            at, clock = time.judge(message.at, message.up)
            if isinstance(message, Event):
                kind = "event"
                try:
                    key = (at - at % HOUR_MS, station, message.plugin, message.name, dims.of(message))
                    counts[key] = counts.get(key, 0) + 1
                except EventError as err:
                    valid = False
                    batch.tally.add("undeclared_event", station, bytes(raw), str(err))
            else:
                kind = _KINDS.get(type(message), "unknown")
                valid = self._rare(conn, batch, message, raw, arrival, at, clock)
            rows.append((stream, number, kind, valid, at, clock, now, str(raw, "utf-8")))

    def _rare(
        self,
        conn: Connection,
        batch: _Batch,
        message: messages.Message,
        raw: msgspec.Raw,
        arrival: Arrival,
        at: int,
        clock: str,
    ) -> bool:
        """What any message but an event brings about; whether it is one that a station may send."""
        station, now = arrival.station, arrival.at
        if isinstance(message, Heartbeat):
            if clock != "unsure":
                health = json.dumps(message.health, ensure_ascii=False)
                batch.marks[station] = (station, at, now, message.version, health)
        elif isinstance(message, Request):
            batch.outcome.served = True
            return self._answers.take(conn, batch.tally, station, message, at, now)
        elif isinstance(message, Fault):
            faults.store(conn, station, at, message)
        else:
            reason = "a message that only headquarters sends"
            batch.tally.add("wrong_way", station, bytes(raw), reason)
            return False
        return True

    def _cursor(self, conn: Connection, station: str, name: str, now: int) -> Cursor | None:
        """The cursor of a stream, begun if new; None if the stream belongs to another station."""
        cursor = self._cursors.get((station, name))
        if cursor is None:
            cursor = streams.find(conn, station, name)
            if cursor is None:
                if streams.owner(conn, name) is not None:
                    return None
                cursor = streams.begin(conn, station, name, FLOOR_MS, now)
            self._cursors[station, name] = cursor
        return cursor

    def _watch_clones(self, tally: Tally, cursor: Cursor, frame: Frame) -> None:
        """In new messages an older stream, or an older boot, speaks again: two machines with one disk."""
        newest = self._newest.setdefault(cursor.station, cursor.id)
        if cursor.id < newest:
            tally.add("clone", cursor.station, problem=f"stream {cursor.name} speaks beside a newer one")
        self._newest[cursor.station] = max(newest, cursor.id)
        boots = self._boots.setdefault(cursor.id, [])
        if frame.boot in boots[:-1]:
            problem = f"boots {frame.boot} and {boots[-1]} both speak: two machines with one disk"
            tally.add("clone", cursor.station, problem=problem)
            boots.remove(frame.boot)
            boots.append(frame.boot)
        elif not boots or boots[-1] != frame.boot:
            boots.append(frame.boot)
            del boots[:-8]


def _as_unknown(stream: int, number: int, at: int, now: int, body: bytes) -> MessageRow:
    text = body.decode("utf-8", "backslashreplace").replace("\0", "\\0")
    return stream, number, "unknown", False, at, "unsure", now, text
