"""What stations asked, and what they were answered: the same id always gets the same answer."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, Select, insert, literal_column, select, update

from protocol.manifest import Manifest, RequestKind
from protocol.messages import Reply, Request
from protocol.sealed import blank, blanked
from server.store.schema import message, request, stream

WAITING: Final = 500  # requests that are tried again at a time
_CLOCK_MS: Final = 24 * 3600 * 1000  # by which the server's own clock may have been set back


def seen(conn: Connection, station: str, request_id: str) -> bool:
    """Whether this request is stored already."""
    found = select(request.c.id).where(request.c.station == station, request.c.id == request_id)
    return conn.scalar(found) is not None


def store(conn: Connection, station: str, asked: Request, kind: RequestKind, at: int, now: int) -> None:
    """Keep a request that has no answer yet. Sealed fields stay sealed."""
    conn.execute(
        insert(request).values(
            station=station,
            id=asked.id,
            plugin=asked.plugin,
            name=asked.name,
            service=kind.service,
            at=at,
            received_at=now,
            d=json.dumps(asked.d, ensure_ascii=False),
            holds_sealed=any(asked.d.get(name) for name in kind.sealed),
            tries=1,
        )
    )


def answer(conn: Connection, station: str, reply: Reply) -> None:
    """Keep the answer beside the request."""
    conn.execute(
        update(request)
        .where(request.c.station == station, request.c.id == reply.id)
        .values(status=reply.status, answer=json.dumps(reply.d, ensure_ascii=False))
    )


def answered(conn: Connection, station: str, request_id: str) -> Reply | None:
    """The stored answer, or None if there is none yet."""
    found = conn.execute(
        select(request.c.plugin, request.c.name, request.c.status, request.c.answer).where(
            request.c.station == station, request.c.id == request_id, request.c.status.is_not(None)
        )
    ).one_or_none()
    if found is None:
        return None
    d: dict[str, Any] = json.loads(found.answer)
    return Reply(id=request_id, plugin=found.plugin, name=found.name, status=found.status, d=d)


def waiting(conn: Connection) -> list[tuple[str, str]]:
    """The oldest requests without an answer: station and id."""
    # Written out, as SQLite uses the partial index only for what it can read in the statement.
    found = select(request.c.station, request.c.id).where(request.c.status.is_(None))
    return [
        (row.station, row.id) for row in conn.execute(found.order_by(request.c.received_at).limit(WAITING))
    ]


def try_again(conn: Connection, station: str, request_id: str) -> tuple[Request, int] | None:
    """A request without an answer, and how often it is tried with this time; None if it has one."""
    mine = (request.c.station == station, request.c.id == request_id, request.c.status.is_(None))
    # The update comes first: of two collectors one waits here for the other, and then finds the answer.
    conn.execute(update(request).where(*mine).values(tries=request.c.tries + 1))
    found = conn.execute(select(request).where(*mine)).one_or_none()
    if found is None:
        return None
    asked = Request(
        at=found.at,
        id=request_id,
        plugin=found.plugin,
        name=found.name,
        service=found.service,
        d=json.loads(found.d),
    )
    return asked, found.tries


def holding_sealed() -> Select[Any]:
    """Requests that are answered and still hold what was sealed: station, id, plugin, name, received_at."""
    columns = (request.c[name] for name in ("station", "id", "plugin", "name", "received_at"))
    return select(*columns).where(request.c.holds_sealed, request.c.status.is_not(None))


def blank_sealed(conn: Connection, manifests: Mapping[str, Manifest], asked: Iterable[Row[Any]]) -> int:
    """Make the sealed fields of these requests empty, also in the raw messages; how many requests.

    `asked` are rows of `holding_sealed`. Which fields are sealed is what the manifest says: without the
    plugin's manifest a request stays as it is.
    """
    by_station: dict[str, dict[str, tuple[Collection[str], int]]] = defaultdict(dict)
    for each in asked:
        if each.plugin in manifests and (sealed := manifests[each.plugin].sealed_fields(each.name)):
            by_station[each.station][each.id] = (sealed, each.received_at)
    for station, due in by_station.items():
        for id_, (names, _) in due.items():
            mine = (request.c.station == station, request.c.id == id_)
            d = json.loads(conn.scalar(select(request.c.d).where(*mine)) or "{}")
            kept = json.dumps(blanked(d, names), ensure_ascii=False)
            conn.execute(update(request).where(*mine).values(d=kept, holds_sealed=False))
        _blank_messages(conn, station, due)
    return sum(len(due) for due in by_station.values())


class _Id(msgspec.Struct):
    id: str = ""


def _blank_messages(conn: Connection, station: str, due: Mapping[str, tuple[Collection[str], int]]) -> None:
    since = min(received_at for _, received_at in due.values()) - _CLOCK_MS
    told = (
        select(message.c.id, message.c.body)
        .join(stream, stream.c.id == message.c.stream)
        # Written out, because SQLite uses a partial index only for what it can read in the statement.
        .where(stream.c.station == station, message.c.kind == literal_column("'request'"))
        .where(message.c.received_at >= since)
    )
    for row in conn.execute(told).all():
        body = row.body.encode()
        found = due.get(msgspec.json.decode(body, type=_Id).id)
        if found is not None and (kept := blank(body, found[0])) is not body:
            conn.execute(update(message).where(message.c.id == row.id).values(body=kept.decode()))
