"""Plugins that failed at stations, as their hosts reported them."""

import json

from sqlalchemy import Connection, insert

from protocol.messages import Fault
from server.store.schema import fault


def store(conn: Connection, station: str, at: int, found: Fault) -> None:
    """Keep one failure."""
    conn.execute(
        insert(fault).values(
            station=station,
            at=at,
            plugin=found.plugin,
            version=found.version,
            place=found.where,
            kind=found.kind,
            trace=json.dumps(found.trace, ensure_ascii=False),
        )
    )
