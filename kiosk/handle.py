"""What a job is given: sqlite_utils' Database, imported at the first use that plain SQL does not cover."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sqlite_utils

Parameters = Sequence[Any] | Mapping[str, Any]


class Handle:
    """`conn`, `execute` and `query` at once, all else of the library's Database when it is asked for.

    The library takes a tenth of a second to import, which is a tenth of the way to the home screen.
    """

    def __init__(self, conn: sqlite3.Connection) -> None:
        self.conn = conn

    @cached_property
    def full(self) -> "sqlite_utils.Database":
        """The library's own object for the same connection."""
        import sqlite_utils

        return sqlite_utils.Database(self.conn, execute_plugins=False)

    def execute(self, sql: str, parameters: Parameters = ()) -> sqlite3.Cursor:
        """Run one statement; outside a transaction a write is committed at once, as by the library."""
        inside = self.conn.in_transaction
        try:
            cursor = self.conn.execute(sql, parameters)
        except sqlite3.Error:
            if not inside and self.conn.in_transaction:
                self.conn.rollback()
            raise
        if not inside and self.conn.in_transaction and not sql.lstrip().upper().startswith(("BEGIN", "SAVE")):
            self.conn.commit()
        return cursor

    def query(self, sql: str, params: Parameters = ()) -> Iterator[dict[str, Any]]:
        """Rows as dicts by column name."""
        cursor = self.conn.execute(sql, params)
        names = [column[0] for column in cursor.description]
        return (dict(zip(names, row, strict=True)) for row in cursor)

    def close(self) -> None:
        """Close the connection."""
        self.conn.close()

    def __getitem__(self, table: str) -> Any:
        return self.full[table]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.full, name)
