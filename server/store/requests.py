"""What stations asked, and what they were answered: the same id always gets the same answer."""

import json
from typing import Any

from sqlalchemy import Connection, insert, select, update

from protocol.messages import Reply, Request
from server.store.schema import request


def seen(conn: Connection, station: str, request_id: str) -> bool:
    """Whether this request is stored already."""
    found = select(request.c.id).where(request.c.station == station, request.c.id == request_id)
    return conn.scalar(found) is not None


def store(conn: Connection, station: str, asked: Request, service: str, at: int, now: int) -> None:
    """Keep a request that has no answer yet. Sealed fields stay sealed."""
    conn.execute(
        insert(request).values(
            station=station,
            id=asked.id,
            plugin=asked.plugin,
            name=asked.name,
            service=service,
            at=at,
            received_at=now,
            d=json.dumps(asked.d, ensure_ascii=False),
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
