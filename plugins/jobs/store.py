"""The posts of this station, how to find them by sound, and how often they were taken along."""

import contextlib
from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING

from kiosk.errors import Busy
from plugins.jobs import rules
from plugins.jobs.rules import Post, Query, Sounds

if TYPE_CHECKING:
    import sqlite_utils

    from kiosk.receipt import Receipt
    from kiosk.station import Station

KEPT_DAYS = 90
RETRY_MS = 600_000  # until a failed index is tried again: each failure counts as a fault of the plugin


class Store:
    """Screens read it without waiting. `query` is what the visitor at the screen looks for.

    `ready` says whether letters already find by sound: the index is made aside, soon after the start.
    """

    def __init__(self, station: "Station") -> None:
        """Make the tables and load; for the `setup` hook, which may wait for the disk."""
        self._station = station
        self.cancel: Callable[[], None] = lambda: None
        self._known: tuple[Post, ...] | None = None
        self._open: tuple[date, tuple[Post, ...]] | None = None
        self._said: dict[str, Sounds] | None = None
        self._indexing = False
        self._index_after = 0  # by the monotonic clock
        self._session = ""
        self.query = Query()
        oldest = station.clock.today().toordinal() - KEPT_DAYS
        self._taken: dict[str, int] = station.database.write(lambda db: _load(db, oldest)).wait().value

    @property
    def ready(self) -> bool:
        return self._said is not None

    def posts(self) -> tuple[Post, ...]:
        """The posts that are open today, newest first."""
        today = self._station.clock.today()
        if self._known is None:
            read = (rules.read(row) for row in self._station.content("posts"))
            self._known, self._open = tuple(post for post in read if post is not None), None
        if self._open is None or self._open[0] != today:
            self._open = (today, rules.current(self._known, today))
        return self._open[1]

    def post(self, job_id: str) -> Post | None:
        """An open post by its number."""
        return next((post for post in self.posts() if post.job_id == job_id), None)

    def found(self, query: Query) -> tuple[Post, ...]:
        """The open posts that fit."""
        return rules.search(self.posts(), query, self._said or {})

    def changed(self) -> None:
        """The collection has a new revision."""
        self._known = None
        if self._said is not None:
            self.make_index()

    def begin(self) -> None:
        """A visitor opens the service: a new session starts with the posts of the visitor's trade."""
        session = self._station.session
        if session.id != self._session:
            self._session = session.id
            self.query = rules.first_query(session.facts.get("trade", ""), self.posts())
        if self._said is None:
            self.make_index()

    def warm_up(self) -> None:
        """Make the index before anybody waits for it: loading pypinyin makes the screen slow for a moment."""
        self.cancel()
        if self._said is None:
            self.make_index()

    def make_index(self) -> None:
        """Learn aside how everything is said, then let the screen know."""
        if self._indexing or self._station.clock.monotonic_ms() < self._index_after:
            return
        self.posts()
        known = self._known or ()

        def made(said: dict[str, Sounds]) -> None:
            self._indexing, self._said = False, said
            self._station.refresh()
            if self._known is not known:
                self.make_index()

        def failed(error: BaseException) -> None:
            self._indexing = False
            self._index_after = self._station.clock.monotonic_ms() + RETRY_MS

        # The next visitor tries again.
        with contextlib.suppress(Busy):
            self._station.run(lambda: rules.index(known), made, failed)
            self._indexing = True

    def look(self, query: Query) -> tuple[Post, ...]:
        """The visitor looks for something: remember it for the session, report how much was found."""
        self.query = query
        found = self.found(query)
        self._station.report("searched", hits=len(found))
        return found

    def view(self, post: Post) -> "Receipt[int]":
        """The visitor reads a post."""
        return self._station.report("viewed", job=post.job_id)

    def taken(self, post: Post) -> int:
        """How often the post was taken along at this station."""
        return self._taken.get(post.job_id, 0)

    def take(self, post: Post) -> "Receipt[int]":
        """The visitor takes the post along on a phone; `taken` includes it once the receipt is ok."""
        today = self._station.clock.today().toordinal()

        def count(db: "sqlite_utils.Database") -> None:
            db.execute(
                "INSERT INTO jobs_taken (job_id, n, day) VALUES (?, 1, ?)"
                " ON CONFLICT (job_id) DO UPDATE SET n = n + 1, day = excluded.day",
                [post.job_id, today],
            )

        def counted(receipt: "Receipt[int]") -> None:
            if receipt.ok:
                self._taken[post.job_id] = self.taken(post) + 1

        return self._station.report("handed_over", job=post.job_id, also=count).then(counted)

    def forget(self) -> None:
        """The visitor has gone."""
        self._session, self.query = "", Query()


def _load(db: "sqlite_utils.Database", oldest: int) -> dict[str, int]:
    from kiosk.migrations import Migrations

    migrations = Migrations("jobs")

    @migrations()
    def taken(db: "sqlite_utils.Database") -> None:
        # `day` counts days from the year 1, as Python's ordinal does.
        db.execute(
            "CREATE TABLE jobs_taken (job_id TEXT PRIMARY KEY, n INTEGER NOT NULL, day INTEGER NOT NULL)"
            " WITHOUT ROWID"
        )

    migrations.apply(db)
    db.execute("DELETE FROM jobs_taken WHERE day < ?", [oldest])
    return dict(db.execute("SELECT job_id, n FROM jobs_taken").fetchall())
