"""Every change that a person makes: who, what, of which thing, before and after."""

import json
from typing import Any

from sqlalchemy import Connection, insert, select

from server.store.schema import audit


def record(
    conn: Connection, who: str, what: str, subject: str, now: int, before: Any = None, after: Any = None
) -> None:
    """Write one line, in the transaction of the change itself. `what` is a word such as `station.add`."""
    conn.execute(
        insert(audit).values(
            at=now, who=who, what=what, subject=subject, before=json.dumps(before), after=json.dumps(after)
        )
    )


def latest(conn: Connection, limit: int = 100) -> list[dict[str, Any]]:
    """The newest lines first."""
    found = conn.execute(select(audit).order_by(audit.c.id.desc()).limit(limit)).mappings()
    return [{**row, "before": json.loads(row["before"]), "after": json.loads(row["after"])} for row in found]
