"""What was on at this station: one row an airing, kept for a week, closed when it is reported.

An airing that a power cut ends stays open on disk; the next run goes on with it or reports it.
"""

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import sqlite_utils

    from kiosk.database import Database

KEPT_MS: Final = 7 * 24 * 3600 * 1000


@dataclass(frozen=True)
class Open:
    """An airing that has begun and is not reported; heard so far as last written."""

    occurrence: str
    item_id: str
    kind: str
    heard_ms: int


def prepare(db: "sqlite_utils.Database") -> None:
    """Bring the plugin's table to this release."""
    from kiosk.migrations import Migrations

    own = Migrations("broadcast")

    @own()
    def played(db: "sqlite_utils.Database") -> None:
        # `day` is the station's own date; `closed` is 1 once the airing is in the stream up.
        db.execute(
            "CREATE TABLE broadcast_played (occurrence TEXT PRIMARY KEY, item_id TEXT NOT NULL,"
            " kind TEXT NOT NULL, day TEXT NOT NULL, at INTEGER NOT NULL,"
            " heard_ms INTEGER NOT NULL DEFAULT 0, complete INTEGER NOT NULL DEFAULT 0,"
            " closed INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID"
        )

    own.apply(db)


class PlayLog:
    """The log of one station. Written at the beginning, now and then, and at the end of each airing."""

    def __init__(self, database: "Database", day: str, now_ms: int) -> None:
        """Read what is known; for the loader thread, as it waits for the disk."""
        self._database = database
        self.day = day
        self.times: Counter[str] = Counter()
        self.open: list[Open] = []
        self.last_closed = ""

        def load(db: "sqlite_utils.Database") -> None:
            prepare(db)
            db.execute("DELETE FROM broadcast_played WHERE at < ? AND closed = 1", [now_ms - KEPT_MS])
            for item_id, times in db.execute(
                "SELECT item_id, count(*) FROM broadcast_played WHERE day = ? AND closed = 1"
                " GROUP BY item_id",
                [day],
            ):
                self.times[item_id] = times
            last = db.execute(
                "SELECT occurrence FROM broadcast_played WHERE closed = 1 ORDER BY at DESC LIMIT 1"
            ).fetchone()
            self.last_closed = last[0] if last else ""
            self.open = [
                Open(*row)
                for row in db.execute(
                    "SELECT occurrence, item_id, kind, heard_ms FROM broadcast_played WHERE closed = 0"
                    " ORDER BY at"
                )
            ]

        database.write(load).wait()

    def begin(self, occurrence: str, item_id: str, kind: str, at_ms: int) -> None:
        """An airing begins, or goes on after a restart."""
        day = self.day
        self._database.write(
            lambda db: db.execute(
                "INSERT OR IGNORE INTO broadcast_played (occurrence, item_id, kind, day, at)"
                " VALUES (?, ?, ?, ?, ?)",
                [occurrence, item_id, kind, day, at_ms],
            )
        )

    def heard(self, occurrence: str, heard_ms: int) -> None:
        """It could be heard for so long by now."""
        self._database.write(
            lambda db: db.execute(
                "UPDATE broadcast_played SET heard_ms = ? WHERE occurrence = ? AND closed = 0",
                [heard_ms, occurrence],
            )
        )

    @staticmethod
    def close(db: "sqlite_utils.Database", occurrence: str, heard_ms: int, complete: bool) -> None:
        """Over: for the transaction that also stores the event, so that each is reported once."""
        db.execute(
            "UPDATE broadcast_played SET heard_ms = ?, complete = ?, closed = 1 WHERE occurrence = ?",
            [heard_ms, complete, occurrence],
        )

    @staticmethod
    def drop(db: "sqlite_utils.Database", occurrence: str) -> None:
        """It never was on."""
        db.execute("DELETE FROM broadcast_played WHERE occurrence = ? AND closed = 0", [occurrence])

    def count(self, item_id: str, day: str) -> None:
        """An airing of that day has been reported."""
        if day == self.day:
            self.times[item_id] += 1

    def new_day(self, day: str, now_ms: int) -> None:
        """Count from nothing, and forget what is older than a week."""
        self.day = day
        self.times.clear()
        self._database.write(
            lambda db: db.execute(
                "DELETE FROM broadcast_played WHERE at < ? AND closed = 1", [now_ms - KEPT_MS]
            )
        )
