"""The station's own tables. Names with `_` are the core's; a plugin's start with its id."""

from typing import TYPE_CHECKING, TypeVar

from kiosk.migrations import Migrations

T = TypeVar("T", str, int)

if TYPE_CHECKING:
    import sqlite_utils


def prepare(db: "sqlite_utils.Database") -> None:
    """Bring the core's tables to this release."""
    core = Migrations("_core")

    @core()
    def streams(db: "sqlite_utils.Database") -> None:
        # `boot` names the machine's run that `up` in the body was measured in.
        db.execute(
            "CREATE TABLE _stream_up (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, boot TEXT NOT NULL,"
            " body BLOB NOT NULL)"
        )
        db.execute("CREATE TABLE _meta (key TEXT PRIMARY KEY, value) WITHOUT ROWID")
        db.execute(
            "CREATE TABLE _down_cursor (stream TEXT PRIMARY KEY, upto INTEGER NOT NULL, at INTEGER NOT NULL)"
        )
        db.execute(
            "CREATE TABLE _down_inbox (id INTEGER PRIMARY KEY, body BLOB NOT NULL,"
            " attempts INTEGER NOT NULL DEFAULT 0)"
        )

    @core()
    def content(db: "sqlite_utils.Database") -> None:
        db.execute(
            "CREATE TABLE _content (collection TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,"
            " PRIMARY KEY (collection, key)) WITHOUT ROWID"
        )
        db.execute("CREATE TABLE _revision (collection TEXT PRIMARY KEY, revision INTEGER NOT NULL)")

    @core()
    def settings(db: "sqlite_utils.Database") -> None:
        db.execute(
            "CREATE TABLE _setting (plugin TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,"
            " PRIMARY KEY (plugin, name)) WITHOUT ROWID"
        )

    @core()
    def requests(db: "sqlite_utils.Database") -> None:
        # The id of a stored request, to find it by when its answer comes; NULL for all other messages.
        db.execute("ALTER TABLE _stream_up ADD COLUMN request TEXT")
        db.execute("CREATE INDEX _stream_up_request ON _stream_up (request) WHERE request IS NOT NULL")

    @core()
    def generations(db: "sqlite_utils.Database") -> None:
        # Headquarters' name for the history that the revision is of; empty until it has said one.
        db.execute("ALTER TABLE _revision ADD COLUMN generation TEXT NOT NULL DEFAULT ''")

    @core()
    def runs(db: "sqlite_utils.Database") -> None:
        # `run` names the process that wrote the row, `total` adds up the bodies so far, `checksum` is as in
        # row.py; NULL for rows of earlier releases.
        db.execute("ALTER TABLE _stream_up ADD COLUMN run TEXT NOT NULL DEFAULT ''")
        db.execute("ALTER TABLE _stream_up ADD COLUMN total INTEGER NOT NULL DEFAULT 0")
        db.execute("ALTER TABLE _stream_up ADD COLUMN checksum INTEGER")
        # What headquarters cannot read, as it was before a word about it took its place in the stream.
        db.execute(
            "CREATE TABLE _parked (number INTEGER NOT NULL, stream TEXT NOT NULL, body BLOB NOT NULL,"
            " at INTEGER NOT NULL, reason TEXT NOT NULL)"
        )
        # Which runs of headquarters wrote what is stored of each stream down.
        db.execute(
            "CREATE TABLE _down_part (stream TEXT NOT NULL, first INTEGER NOT NULL, run TEXT NOT NULL,"
            " PRIMARY KEY (stream, first)) WITHOUT ROWID"
        )

    core.apply(db)


def get_meta(db: "sqlite_utils.Database", key: str, default: T) -> T:
    """One remembered value; the default where there is none of the default's type."""
    row = db.execute("SELECT value FROM _meta WHERE key = ?", [key]).fetchone()
    return row[0] if row is not None and type(row[0]) is type(default) else default


def set_meta(db: "sqlite_utils.Database", key: str, value: "str | int") -> None:
    """Remember one value under its key."""
    db.execute("INSERT OR REPLACE INTO _meta (key, value) VALUES (?, ?)", [key, value])
