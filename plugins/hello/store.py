"""What visitors ask about at this station: the plugin's own table, and its copy in memory."""

from typing import TYPE_CHECKING

from plugins.hello import rules

if TYPE_CHECKING:
    import sqlite_utils

    from kiosk.receipt import Receipt
    from kiosk.station import Station


class Store:
    """`asked` says how often each facility was asked about, for ever; screens read it without waiting."""

    def __init__(self, station: "Station") -> None:
        """Make the tables and load; for the `setup` hook, which may wait for the disk."""
        self._station = station
        self.asked: dict[str, int] = station.database.write(_load).wait().value

    def facilities(self) -> tuple[rules.Facility, ...]:
        """What the station offers."""
        return rules.facilities(self._station.profile.facilities)

    def ask(self, what: str) -> "Receipt[int]":
        """A visitor asks about something: an event for headquarters and our own count, stored together."""

        def count(db: "sqlite_utils.Database") -> None:
            db.execute(
                "INSERT INTO hello_asked (what, n) VALUES (?, 1) ON CONFLICT (what) DO UPDATE SET n = n + 1",
                [what],
            )

        def counted(receipt: "Receipt[int]") -> None:
            if receipt.ok:
                self.asked[what] = self.asked.get(what, 0) + 1

        return self._station.report("asked", what=what, also=count).then(counted)


def _load(db: "sqlite_utils.Database") -> dict[str, int]:
    from kiosk.migrations import Migrations

    migrations = Migrations("hello")

    @migrations()
    def asked(db: "sqlite_utils.Database") -> None:
        db.execute("CREATE TABLE hello_asked (what TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID")

    migrations.apply(db)
    return dict(db.execute("SELECT what, n FROM hello_asked").fetchall())
