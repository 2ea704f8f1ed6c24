"""The messages of a frame: each becomes a row in its place, and brings about what its kind does."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from sqlalchemy import Connection

from protocol import messages
from protocol.errors import EventError
from protocol.manifest import Manifest
from protocol.messages import Event, Fault, Heartbeat, Loss, Request, Unknown
from server.answers import Answers
from server.batch import Batch
from server.store import faults, gaps, rollups
from server.store import messages as raw_messages
from server.store.engine import in_trouble
from server.store.messages import MessageRow
from server.store.refusals import Tally, described
from server.store.rollups import HOUR_MS
from server.store.streams import Raced
from server.times import TOLERANCE_MS, Stamp, Timekeeper, span

log = logging.getLogger(__name__)

_KINDS: Final = {Event: "event", Request: "request", Heartbeat: "heartbeat", Fault: "fault", Loss: "loss"}

#: What stands in the figures of an hour.
_COUNTED: Final = frozenset({"event", "request"})


@dataclass(frozen=True)
class Place:
    """Where messages come from and belong: their station and stream, when they arrived (ms).

    `earliest` is a time before which nothing that this stream now says can have happened.
    """

    station: str
    stream: int
    arrived: int
    earliest: int


class Contents:
    """Takes messages into a batch. Used by one thread."""

    def __init__(self, manifests: Mapping[str, Manifest], answers: Answers) -> None:
        self._answers = answers
        self._dims = rollups.Dims(manifests)

    def take(
        self,
        conn: Connection,
        batch: Batch,
        place: Place,
        time: Timekeeper,
        first: int,
        raws: Sequence[msgspec.Raw],
    ) -> None:
        """Messages from number `first` on."""
        if batch.singly:
            for number, raw in enumerate(raws, first):
                self._alone(conn, batch, place, time, number, raw)
        else:
            self._all(conn, batch, place, time, first, raws)

    def _all(
        self,
        conn: Connection,
        batch: Batch,
        place: Place,
        time: Timekeeper,
        first: int,
        raws: Sequence[msgspec.Raw],
    ) -> None:
        station, stream, now = place.station, place.stream, place.arrived
        rows, counts, dims = batch.rows, batch.counts, self._dims
        before = len(rows)
        for number, raw in enumerate(raws, first):
            # The hot loop of the server: plain tuples, and the common kind first.
            message, valid = messages.decode(raw), True
            if isinstance(message, Unknown):
                # A later release's type, or damage: kept as it came, in its place.
                body = bytes(raw)
                batch.tally.add("unknown_message", station, body, message.problem)
                rows.append(_as_unknown(stream, number, time.last_at, now, body))
                continue
            earliest = time.last_at
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
                valid = self._rare(conn, batch, place, message, raw, (at, clock), earliest)
            rows.append((stream, number, kind, valid, at, clock, now, str(raw, "utf-8")))
        if time.unsure:
            _undated(conn, place, time, rows[before:])

    def _rare(
        self,
        conn: Connection,
        batch: Batch,
        place: Place,
        message: messages.Message,
        raw: msgspec.Raw,
        stamp: Stamp,
        earliest: int,
    ) -> bool:
        """What any message but an event brings about; whether it is one that a station may send."""
        station, now, (at, clock) = place.station, place.arrived, stamp
        if isinstance(message, Heartbeat):
            if clock != "unsure":
                health = msgspec.json.encode(message.health).decode()  # half of all messages are heartbeats
                # A corrected time is as much too late as the frame was under way.
                upto = at if clock == "ok" else at - TOLERANCE_MS
                batch.marks[station] = (station, upto, now, message.version, health)
        elif isinstance(message, Request):
            batch.outcome.served = True
            return self._answers.take(conn, batch.tally, station, message, at, now)
        elif isinstance(message, Fault):
            faults.store(conn, station, at, message)
        elif isinstance(message, Loss):
            since, until = span(
                message.since, message.until, message.at, stamp, max(earliest, place.earliest), now
            )
            why = message.why if message.why in gaps.SAID else gaps.OTHER
            gaps.record(conn, station, since, until, why, message.n, now)
        else:
            reason = "a message that only headquarters sends"
            batch.tally.add("wrong_way", station, bytes(raw), reason)
            return False
        return True

    def _alone(
        self, conn: Connection, batch: Batch, place: Place, time: Timekeeper, number: int, raw: msgspec.Raw
    ) -> None:
        """One message, written here; kept as unknown if it cannot be stored as what it is."""
        part, last_at = Batch(Tally()), time.last_at
        try:
            with conn.begin_nested():
                self._all(conn, part, place, time, number, [raw])
                part.write_messages(conn)
        except Exception as err:
            if in_trouble(err) or isinstance(err, Raced):
                raise
            log.exception("Message %d of station %s cannot be stored", number, place.station)
            time.last_at = last_at
            self._answers.undone()
            batch.tally.add("store", place.station, bytes(raw), described(err))
            _keep_unknown(conn, _as_unknown(place.stream, number, last_at, place.arrived, bytes(raw)))
        else:
            batch.tally.merge(part.tally)
            batch.outcome.served |= part.outcome.served


def _undated(conn: Connection, place: Place, time: Timekeeper, rows: Sequence[MessageRow]) -> None:
    """Keep between which times messages happened whose own time is unsure: no hour of then is complete."""
    n = sum(row[5] == "unsure" and row[2] in _COUNTED for row in rows)
    if n:
        since = min(max(time.unsure_since, place.earliest), place.arrived)
        gaps.record_clock(conn, place.station, since, place.arrived, n, place.arrived)


def _keep_unknown(conn: Connection, row: MessageRow) -> None:
    try:
        with conn.begin_nested():
            raw_messages.store(conn, [row])
    except Exception as err:
        if in_trouble(err):
            raise
        log.exception("Only the place of this message can be stored")
        raw_messages.store(conn, [(*row[:-1], "")])


def _as_unknown(stream: int, number: int, at: int, now: int, body: bytes) -> MessageRow:
    text = body.decode("utf-8", "backslashreplace").replace("\0", "\\0")
    return stream, number, "unknown", False, at, "unsure", now, text
