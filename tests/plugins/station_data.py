"""A station's data directory before and after a kiosk ran on it: what it has received, what it has said."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kiosk import tables
from kiosk.database import Database
from protocol.messages import Event, decode


def replicate(data: Path, collection: str, key: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Rows as if headquarters had sent them; `key` is the field that names a row."""
    database = Database(data / "station.db", tables.prepare)
    entries = [(collection, row[key], json.dumps(row, ensure_ascii=False).encode()) for row in rows]
    database.write(
        lambda db: db.conn.executemany("INSERT OR REPLACE INTO _content VALUES (?, ?, ?)", entries)
    ).wait()
    database.close()


def events(data: Path, plugin: str) -> list[Event]:
    """A plugin's own usage events, without what the shell reports, after the kiosk has ended."""
    database = Database(data / "station.db", tables.prepare)
    rows = database.read(
        lambda db: db.execute("SELECT body FROM _stream_up ORDER BY number").fetchall()
    ).wait()
    database.close()
    said = [decode(body) for (body,) in rows.value]
    return [
        each
        for each in said
        if isinstance(each, Event) and each.plugin == plugin and each.name not in ("opened", "closed")
    ]
