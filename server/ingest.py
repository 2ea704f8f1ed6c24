"""From bytes to tables: a batch of frames, their messages, effects and cursors in one transaction."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from protocol import frame as frames
from protocol.errors import FrameError
from protocol.frame import Ack, Frame, Refusal
from protocol.manifest import Manifest
from protocol.stream import Acceptance, Fork
from server import crash_points
from server.answers import Answers
from server.batch import Batch, Outcome
from server.contents import Contents, Place
from server.cursors import Cursors
from server.downlink import Downlink
from server.services import SERVICES, Service
from server.store import Store, stations
from server.store.engine import in_trouble, of_the_data
from server.store.refusals import Tally, described
from server.store.streams import Cursor, Raced
from server.times import Timekeeper

log = logging.getLogger(__name__)

RACES: Final = 5


@dataclass(frozen=True)
class Arrival:
    """Bytes that came on a station's topic, and when (ms). `digest` names them if they were cut."""

    station: str
    payload: bytes
    at: int
    digest: str = ""


class Ingest:
    """Takes in what all stations say. Used by one thread."""

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
        self._contents = Contents(manifests, self._answers)
        self._cursors = Cursors()
        self._stations: frozenset[str] = frozenset()
        with store.read() as conn:
            self.reload(conn)

    def reload(self, conn: Connection) -> None:
        """Stations were added, claimed or revoked."""
        self._stations = frozenset(stations.active(conn))

    def knows(self, station: str) -> bool:
        """Whether this station may speak."""
        return station in self._stations

    def take(self, arrivals: Sequence[Arrival]) -> Outcome:
        """Store a batch and say what to answer.

        It raises Raced, and whatever means that the database takes nothing at present (`in_trouble`): nothing
        is then stored, and nothing may be answered. What the database cannot take because of the data itself
        never blocks the rest: the batch is then taken frame by frame, and such a frame message by message.
        """
        tally, now = Tally(), max((arrival.at for arrival in arrivals), default=0)
        decoded: list[tuple[Arrival, Frame]] = []
        refused: dict[str, Refusal] = {}
        for arrival in arrivals:
            try:
                decoded.append((arrival, frames.decode(arrival.payload)))
            except FrameError as err:
                tally.add(err.reason, arrival.station, arrival.payload, str(err))
                if self.knows(arrival.station):
                    digest = arrival.digest or frames.digest(arrival.payload)
                    refused[arrival.station] = Refusal(err.reason, digest)
        outcome = self._take(decoded, tally, now)
        outcome.refused |= refused
        return outcome

    def take_waiting(self, now: int) -> bool:
        """Try again the requests that got no answer; whether a service ran, and may have changed content."""
        return self._answers.take_waiting(self._store, now)

    def _take(self, decoded: list[tuple[Arrival, Frame]], tally: Tally, now: int) -> Outcome:
        try:
            return self._commit(decoded, tally, now)
        except Exception as err:
            if in_trouble(err) or isinstance(err, Raced):
                raise
            log.exception("A batch of %d frames could not be stored", len(decoded))
            if len(decoded) > 1:
                return self._one_by_one(decoded, tally, now)
            return self._singly(decoded, tally, now, err)

    def _one_by_one(self, decoded: list[tuple[Arrival, Frame]], tally: Tally, now: int) -> Outcome:
        whole = self._commit([], tally, now)
        for each in decoded:
            whole.merge(self._take([each], Tally(), now))
        return whole

    def _singly(
        self, decoded: list[tuple[Arrival, Frame]], tally: Tally, now: int, err: Exception
    ) -> Outcome:
        try:
            return self._commit(decoded, tally, now, singly=True)
        except Exception as again:
            if in_trouble(again) or isinstance(again, Raced):
                raise
            log.exception("A frame could not be stored, not even message by message")
            for arrival, _ in decoded:
                tally.add("store", arrival.station, arrival.payload, described(err))
            outcome = self._commit([], tally, now)
            if of_the_data(again):
                # Its station would say it again for ever: so it finds out which message it is, and parks it.
                for arrival, _ in decoded:
                    outcome.refused[arrival.station] = Refusal("store", frames.digest(arrival.payload))
            return outcome

    def _commit(
        self, decoded: list[tuple[Arrival, Frame]], tally: Tally, now: int, singly: bool = False
    ) -> Outcome:
        for _ in range(RACES):
            batch = Batch(Tally(dict(tally.counts)), singly=singly)
            try:
                with self._store.write() as conn:
                    if decoded:
                        self._cursors.look(conn)
                    for arrival, frame in decoded:
                        self._frame(conn, batch, arrival, frame)
                        crash_points.reach("mid_batch")
                    batch.write(conn, now)
                    crash_points.reach("before_commit")
            except Raced:
                self._forget()
                continue
            except BaseException:
                self._forget()
                raise
            crash_points.reach("after_commit")
            self._downlink.committed()
            return batch.outcome
        raise Raced

    def _forget(self) -> None:
        """Memory may be ahead of the database: read it again when needed."""
        self._cursors.forget()
        self._downlink.forget()

    def _frame(self, conn: Connection, batch: Batch, arrival: Arrival, frame: Frame) -> None:
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
        cursor = self._cursors.find(conn, station, frame.stream, arrival.at)
        if cursor is None:
            batch.tally.add("foreign_stream", station, arrival.payload)
            return
        judged = self._cursors.judge(conn, cursor, frame)
        if isinstance(judged, Fork):
            problem = f"stream {cursor.name}: run {frame.run} says others behind number {judged.after}"
            batch.tally.add("forked", station, problem=problem)
            ack = Ack(cursor.name, cursor.upto, judged.after, frame.run, fork=True)
        else:
            if judged is not None:
                self._accept(conn, batch, arrival, frame, cursor, judged)
            ack = Ack(cursor.name, cursor.upto, frame.first + len(frame.msgs) - 1, frame.run)
        batch.outcome.answer(station, ack)

    def _accept(
        self,
        conn: Connection,
        batch: Batch,
        arrival: Arrival,
        frame: Frame,
        cursor: Cursor,
        accepted: Acceptance,
    ) -> None:
        alarm = self._cursors.go_on(conn, cursor, frame, accepted, arrival.at)
        if alarm is not None:
            batch.tally.add("clone", cursor.station, problem=alarm)
        if accepted.lost is not None:
            n = accepted.lost[1] - accepted.lost[0] + 1
            log.warning("Station %s has lost %d messages for good", cursor.station, n)
        batch.moves.setdefault(cursor.id, (cursor, cursor.upto))
        time = Timekeeper(frame.sent, frame.up, arrival.at, cursor.last_at)
        place = Place(cursor.station, cursor.id, arrival.at, self._cursors.earliest(conn, cursor))
        fresh = frame.msgs[accepted.skip :]
        self._contents.take(conn, batch, place, time, frame.first + accepted.skip, fresh)
        cursor.upto, cursor.boot, cursor.last_at = accepted.upto, frame.boot, time.last_at
        cursor.heard_at = arrival.at
        batch.outcome.stored += len(fresh)
