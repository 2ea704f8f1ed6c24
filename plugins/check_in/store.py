"""Today's visits and people: the plugin's own tables, their copy in memory, and the visitor at the screen."""

import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from plugins.check_in import rules
from plugins.check_in.rules import Code, Day, Moment, Verdict

if TYPE_CHECKING:
    import sqlite_utils

    from kiosk.receipt import Receipt
    from kiosk.station import Station

KEPT_DAYS: Final = 40


class Store:
    """Screens read it without waiting; it changes only once the disk has said yes.

    `read` is the member code of the visitor at the screen, `misread` that a reader gave something else.
    `shown()` says whether the plugin's screen is; `done` that the visitor has been told of having checked in.
    """

    def __init__(self, station: "Station") -> None:
        """Make the tables and load today; for the `setup` hook, which may wait for the disk."""
        self._station = station
        self.cancel: Callable[[], None] = lambda: None
        self._session: tuple[str, Moment] | None = None
        self.read: Code | None = None
        self.misread = False
        self.shown: Callable[[], bool] = lambda: False
        self.done = False
        self._storing: Receipt[int] | None = None
        today, key = self._date(), _new_key()
        self._day: Day = station.database.write(lambda db: _begin(_migrated(db), today, key)).wait().value

    def visits(self) -> int:
        """Visits today."""
        self.turn_day()
        return self._day.visits

    def turn_day(self) -> bool:
        """At midnight forget the people and their key and count from 0; whether a day has begun."""
        today = self._date()
        if today == self._day.day:
            return False
        day = self._day = Day(today, _new_key())

        def begun(receipt: "Receipt[Day]") -> None:
            # A clock that went back may have brought a day that has visits already.
            if receipt.ok:
                day.visits = max(day.visits, receipt.value.visits)
                self._station.refresh()

        self._station.database.write(lambda db: _begin(db, today, day.key)).then(begun)
        return True

    def scan(self, raw: str) -> bool:
        """A reader has read something: keep it for the screen; whether the screen has something to say."""
        code = rules.read_code(raw, int(self._station.settings["card_digits"]))
        if self._storing is not None:
            return False
        if code is None and not self.shown():
            # It may be meant for another service; nobody has begun to check in.
            return False
        if self.done:
            # The visitor before is done, so this is somebody else, whose trade is not known.
            self._station.finish()
        self.read, self.misread = code, code is None
        return True

    def type_in(self, digits: str) -> bool:
        """The visitor has typed a member number: keep it for the screen; whether it is one."""
        self.read, self.misread = rules.read_code(digits, card_digits=0), False
        return self.read is not None

    def without_code(self) -> None:
        """The visitor goes on without a code."""
        self.read, self.misread = None, False

    def step(self) -> str:
        """What the screen does now, as `rules.next_step` says."""
        return rules.next_step(self.misread, self.judge(), self._station.session.facts.get("trade", ""))

    def judge(self) -> Verdict:
        """Whether the visitor at the screen would count now."""
        self.turn_day()
        now, minutes = self._now(), int(self._station.settings["reentry_minutes"])
        if self.read is None:
            same = self._session is not None and self._session[0] == self._station.session.id
            return rules.judge(self._session[1] if same and self._session else None, now, minutes)
        verdict = rules.judge_person(self._day, self.read, now, minutes)
        if verdict.since is not None:
            who = rules.person(self.read, self._day.key)
            self._day.people[who] = rules.anchor(verdict.since, now)
        return verdict

    def sign_in(self, trade: str) -> "Receipt[int]":
        """Store the visit; `visits` includes it once the receipt is ok. Called again meanwhile: the same."""
        if self._storing is not None:
            return self._storing
        self.turn_day()
        day, now, code, session = self._day, self._now(), self.read, self._station.session
        who = None if code is None else rules.person(code, day.key)
        first_today = {} if who is None else {"first_today": who not in day.people}

        def visit(db: "sqlite_utils.Database") -> None:
            db.execute(
                "INSERT INTO check_in_day (day, visits) VALUES (?, 1)"
                " ON CONFLICT (day) DO UPDATE SET visits = visits + 1",
                [day.day],
            )
            if who is not None:
                db.execute(
                    "INSERT OR REPLACE INTO check_in_person VALUES (?, ?, ?)", [day.day, who, now.wall_ms]
                )

        def stored(receipt: "Receipt[int]") -> None:
            self._storing = None
            if not receipt.ok:
                return
            day.visits += 1
            if who is not None:
                day.people[who] = now
            self._session = (session.id, now)
            session.facts["trade"] = trade
            self._station.refresh()

        method = "tap" if code is None else code.method
        self._storing = self._station.report(
            "checked_in", also=visit, trade=trade, method=method, **first_today
        )
        return self._storing.then(stored)

    def forget(self) -> None:
        """The visitor has gone."""
        self.read, self.misread, self.done, self._session = None, False, False, None
        self.shown = lambda: False

    def _now(self) -> Moment:
        return Moment(self._station.clock.wall_ms(), self._station.clock.monotonic_ms())

    def _date(self) -> str:
        return self._station.clock.today().isoformat()


def _new_key() -> bytes:
    return secrets.token_bytes(32)


def _migrated(db: "sqlite_utils.Database") -> "sqlite_utils.Database":
    from kiosk.migrations import Migrations

    migrations = Migrations("check_in")

    @migrations()
    def days(db: "sqlite_utils.Database") -> None:
        db.execute(
            "CREATE TABLE check_in_day (day TEXT PRIMARY KEY, visits INTEGER NOT NULL, key BLOB)"
            " WITHOUT ROWID"
        )
        db.execute(
            "CREATE TABLE check_in_person (day TEXT NOT NULL, person BLOB NOT NULL, at INTEGER NOT NULL,"
            " PRIMARY KEY (day, person)) WITHOUT ROWID"
        )

    migrations.apply(db)
    return db


def _begin(db: "sqlite_utils.Database", day: str, key: bytes) -> Day:
    """The day as stored, begun with `key` if it is new; every other day loses its people and its key."""
    db.execute("INSERT OR IGNORE INTO check_in_day VALUES (?, 0, NULL)", [day])
    db.execute("DELETE FROM check_in_person WHERE day <> ?", [day])
    db.execute("UPDATE check_in_day SET key = NULL WHERE day <> ?", [day])
    db.execute("UPDATE check_in_day SET key = ? WHERE day = ? AND key IS NULL", [key, day])
    db.execute(
        "DELETE FROM check_in_day WHERE day <> ? AND day NOT IN"
        " (SELECT day FROM check_in_day ORDER BY day DESC LIMIT ?)",
        [day, KEPT_DAYS],
    )
    visits, kept = db.execute("SELECT visits, key FROM check_in_day WHERE day = ?", [day]).fetchone()
    people = db.execute("SELECT person, at FROM check_in_person WHERE day = ?", [day]).fetchall()
    return Day(day, kept, visits, {person: Moment(at) for person, at in people})
