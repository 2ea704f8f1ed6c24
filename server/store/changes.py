"""Counters by which the running server notices what another process has changed."""

from typing import Literal

from sqlalchemy import Connection, select

from server.store.schema import change
from server.store.upsert import put

Topic = Literal["stations", "content", "pulse"]


def bump(conn: Connection, topic: Topic) -> None:
    """Something of this topic is different after the caller's transaction."""
    put(conn, change, lambda new: {"n": change.c.n + 1}, topic=topic, n=1)


def read(conn: Connection) -> dict[str, int]:
    """Every topic that ever changed, with its counter."""
    return {topic: n for topic, n in conn.execute(select(change.c.topic, change.c.n))}
