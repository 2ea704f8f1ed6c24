"""What was said against what headquarters has stored and counted: exactly, message by message."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, select

from server.simulate.station import SimulatedStation
from server.store import refusals, streams
from server.store.schema import message, rollup, stream

ROWS_AT_ONCE: Final = 10_000

#: station, plugin, event
Counts = Counter[tuple[str, str, str]]


@dataclass(frozen=True)
class Before:
    """How headquarters stood when nothing of this run was said; `row` is the newest of its raw messages."""

    row: int
    counted: Counts
    lost: Mapping[str, int]
    refused: Mapping[tuple[str, str], int]


def look(conn: Connection) -> Before:
    """Where headquarters stands now."""
    row = conn.scalar(select(func.max(message.c.id))) or 0
    return Before(row, _counted(conn), streams.lost_messages(conn), refusals.counts(conn))


def differences(conn: Connection, before: Before, said: Mapping[str, SimulatedStation]) -> list[str]:
    """Every difference in words, none if headquarters has exactly what was said, in its order, once."""
    found = [*_streams(conn, before, said), *_rollups(conn, before, said)]
    now = look(conn)
    found += [
        f"{each}: messages were recorded as lost"
        for each in said
        if now.lost.get(each) != before.lost.get(each)
    ]
    found += [
        f"{station}: {n} times '{reason}' was refused"
        for (reason, station), n in now.refused.items()
        if station in said and n != before.refused.get((reason, station))
    ]
    return found


def _streams(conn: Connection, before: Before, said: Mapping[str, SimulatedStation]) -> list[str]:
    """Raw messages stand in the order of arrival, so each stream's must count up without a hole."""
    ids: dict[int, str] = {}
    upto: dict[int, int] = {}
    found = []
    for row in conn.execute(select(stream).where(stream.c.station.in_(list(said)))):
        ids[row.id] = row.station
        standing = said[row.station].standing
        upto[row.id] = standing.upto if row.name == standing.stream else -1
    rows = (
        select(message.c.stream, message.c.number, message.c.valid, message.c.body)
        .where(message.c.id > before.row)
        .order_by(message.c.id)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    wrong: Counter[str] = Counter()
    for stream_id, number, valid, body in conn.execute(rows):
        station = ids.get(stream_id)
        if station is None:
            continue  # of a real station that speaks meanwhile
        upto[stream_id] += 1
        texts, place = said[station].backlog.texts, number - said[station].standing.upto - 1
        right = number == upto[stream_id] and valid and 0 <= place < len(texts) and texts[place] == body
        wrong[station] += not right
    found += [
        f"{station}: {n} stored messages are not those that were said" for station, n in wrong.items() if n
    ]
    reached = {ids[each]: n for each, n in upto.items() if n >= 0}
    for station, each in said.items():
        stored, expected = (
            reached.get(station, each.standing.upto) - each.standing.upto,
            len(each.backlog.bodies),
        )
        if stored != expected:
            found.append(f"{station}: {stored} messages are stored, {expected} were said")
    return found


def _rollups(conn: Connection, before: Before, said: Mapping[str, SimulatedStation]) -> list[str]:
    now, found = _counted(conn), []
    for station, each in said.items():
        for (plugin, event), n in each.backlog.events.items():
            key = station, plugin, event
            if (counted := now[key] - before.counted[key]) != n:
                found.append(f"{station}: {counted} times {plugin}.{event} is counted, {n} times it was said")
    return found


def _counted(conn: Connection) -> Counts:
    n = func.sum(rollup.c.n)
    keys = (rollup.c.station, rollup.c.plugin, rollup.c.event)
    rows = select(*keys, n).where(rollup.c.station.like("sim-%")).group_by(*keys)
    return Counter({(station, plugin, event): int(n) for station, plugin, event, n in conn.execute(rows)})
