"""Whether what the pages show is what was said: the hourly numbers against the raw events."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import DatabaseError

from protocol.errors import EventError
from protocol.finding import Finding
from protocol.messages import Event, decode
from server.doctor.database import is_current, took_too_long
from server.doctor.visit import SECONDS, Visit
from server.manifests import read_all
from server.store.rollups import HOUR_MS, Dims, Key
from server.store.schema import message, rollup, stream

HOURS: Final = 24


def numbers(visit: Visit) -> Iterator[Finding]:
    """The hours of the last day counted again, both in one snapshot."""
    say = visit.say
    start = visit.now - visit.now % HOUR_MS - HOURS * HOUR_MS
    dims = Dims(read_all(visit.folders)[0])
    try:
        with visit.reading() as conn:
            if not is_current(conn):
                return
            shown = Counter(
                {(*key,): n for *key, n in conn.execute(select(rollup).where(rollup.c.hour >= start))}
            )
            counted, strange = _count(conn, dims, start)
    except DatabaseError as err:
        if not took_too_long(err):
            raise
        yield say.warn("numbers.long", span=say.span(SECONDS))
        return
    differing = [key for key in shown.keys() | counted.keys() if shown[key] != counted[key]]
    if strange:
        yield say.warn("numbers.strange", n=strange)
    elif differing:
        names = say.some(sorted({key[1] for key in differing}))
        yield say.bad("numbers.differ", n=len(differing), stations=names)
    else:
        yield say.ok("numbers.ok", events=sum(counted.values()), n=len(counted))


def _count(conn: Connection, dims: Dims, start: int) -> tuple[Counter[Key], int]:
    """Events by hour, and how many no manifest here declares, so that they cannot be counted."""
    counts, strange = Counter[Key](), 0
    found = (
        select(stream.c.station, message.c.at, message.c.body)
        .join(stream, stream.c.id == message.c.stream)
        .where(message.c.kind == "event", message.c.valid, message.c.at >= start)
    )
    for station, at, body in conn.execute(found):
        event = decode(body.encode())
        if not isinstance(event, Event):
            continue
        try:
            counts[at - at % HOUR_MS, station, event.plugin, event.name, dims.of(event)] += 1
        except EventError:
            strange += 1
    return counts, strange
