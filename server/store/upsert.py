"""INSERT ... ON CONFLICT, which SQLite and PostgreSQL spell alike but SQLAlchemy keeps in two places."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, Insert, Table
from sqlalchemy.dialects import postgresql, sqlite

Changes = Callable[[Any], Mapping[str, Any]]


def upsert(conn: Connection, table: Table, changes: Changes | None = None) -> Insert:
    """An insert of all columns that, when the primary key exists, makes `changes(excluded)` instead.

    Without `changes` every column beyond the key takes its new value.
    """
    insert = (sqlite if conn.dialect.name == "sqlite" else postgresql).insert(table)
    keys = [column.name for column in table.primary_key]
    if changes is not None:
        new = changes(insert.excluded)
    else:
        new = {column.name: insert.excluded[column.name] for column in table.c if column.name not in keys}
    statement: Insert = insert.on_conflict_do_update(index_elements=keys, set_=new)
    return statement


def put(conn: Connection, table: Table, changes: Changes | None = None, **values: Any) -> None:
    """Upsert one row."""
    conn.execute(upsert(conn, table, changes), values)
