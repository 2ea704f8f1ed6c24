"""Headquarters' store and ingest without a broker between, and frames put in by hand."""

from functools import cache
from pathlib import Path

import msgspec
from sqlalchemy import select

from protocol import frame as frames
from protocol import messages
from protocol.frame import Ack, Frame
from protocol.manifest import Manifest
from protocol.messages import Event, Message, Reply
from server.batch import Outcome
from server.downlink import Downlink
from server.ingest import Arrival, Ingest
from server.manifests import read_all
from server.store import Store, gaps, refusals, rollups
from server.store.gaps import Gap
from server.store.schema import message as message_table
from tests.server import ground

NOW = 1_800_000_000_000
CHECK_IN = Event(plugin="check_in", name="checked_in", d={"trade": "courier", "method": "tap"})


class Line:
    """A store, its ingest, and frames put in by hand."""

    def __init__(self, folder: Path, stations_too: bool = True) -> None:
        if stations_too:
            ground.lay(folder, "st-1", "st-2", at=NOW - 1000)
        self.store = Store(folder)
        self.manifests = dict(_manifests())
        self.sent: list[tuple[str, Frame]] = []
        self.restart()

    def another(self) -> Ingest:
        return Ingest(self.store, self.manifests, self.downlink)

    def restart(self) -> None:
        self.downlink = Downlink(lambda to, data: self.sent.append((to, frames.decode(data))), lambda: NOW)
        self.ingest = self.another()

    def put(
        self,
        *said: Message | bytes,
        first: int = 1,
        station: str = "st-1",
        stream: str = "s",
        now: int = NOW,
        **stamps: int | str | Ack,
    ) -> Arrival:
        options = {"boot": "b", "sent": now, "up": 5000, **stamps}
        return Arrival(station, self.frame(stream, *said, first=first, **options), now)

    @staticmethod
    def frame(stream: str, *said: Message | bytes, first: int = 1, **fields: int | str | Ack) -> bytes:
        raws = [msgspec.Raw(each if isinstance(each, bytes) else messages.encode(each)) for each in said]
        return frames.encode(Frame(v=1, stream=stream, first=first, msgs=raws, **fields))  # type: ignore[arg-type]

    def rows(self) -> list[tuple[str, bool, int, str]]:
        columns = (message_table.c.kind, message_table.c.valid, message_table.c.at, message_table.c.clock)
        with self.store.read() as conn:
            return [tuple(row) for row in conn.execute(select(*columns).order_by(message_table.c.id))]

    def replies(self, station: str = "st-1") -> list[Reply]:
        """What a station hears that has just come."""
        self.downlink.heard(station)
        self.downlink.pump(self.store, {})
        heard = [messages.decode(raw) for to, frame in self.sent for raw in frame.msgs if to == station]
        return [each for each in heard if isinstance(each, Reply)]

    def refused(self) -> dict[tuple[str, str], int]:
        with self.store.read() as conn:
            return refusals.counts(conn)

    def events(self) -> int:
        with self.store.read() as conn:
            return sum(rollups.stored(conn).values())

    def gaps(self, station: str = "st-1") -> list[Gap]:
        with self.store.read() as conn:
            return gaps.between(conn, 0, 2 * NOW).get(station, [])


@cache
def _manifests() -> dict[str, Manifest]:
    return read_all()[0]


def upto(outcome: Outcome) -> dict[str, int]:
    """What is acknowledged: station to the last number stored."""
    return {station: ack.upto for (station, _), ack in outcome.acks.items()}


def at(event: Message, wall: int, up: int) -> Message:
    return msgspec.structs.replace(event, at=wall, up=up)
