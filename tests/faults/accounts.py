"""What is written where: a station's disk and headquarters' database, read beside those who write them."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from server import completeness
from server.completeness import Known
from server.store.gaps import Gap

#: A message as headquarters files it: station, stream, number.
Place = tuple[str, str, int]


@dataclass
class Disk:
    """The stream of one station as it stands, and its bookings: request to (status, code)."""

    stream: str = ""
    rows: dict[int, bytes] = field(default_factory=dict)
    runs: dict[int, str] = field(default_factory=dict)
    acked: int = 0
    bookings: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def last(self) -> int:
        return max(self.rows, default=0)


@dataclass(frozen=True)
class Filed:
    """One message at headquarters."""

    body: bytes
    kind: str
    valid: bool
    at: int


@dataclass
class Books:
    """All that headquarters has. `twice` are places that are taken more than once."""

    messages: dict[Place, Filed] = field(default_factory=dict)
    twice: Counter[Place] = field(default_factory=Counter)
    upto: dict[tuple[str, str], int] = field(default_factory=dict)
    lost: dict[tuple[str, str], set[int]] = field(default_factory=dict)
    parts: dict[tuple[str, str], list[tuple[int, str]]] = field(default_factory=dict)
    #: What headquarters says it knows of each station, by the rules of its own pages.
    known: dict[str, Known] = field(default_factory=dict)
    #: (station, request) to its status, None while nobody has answered.
    requests: dict[tuple[str, str], str | None] = field(default_factory=dict)
    #: (station, request) to the codes of its open bookings.
    bookings: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def run(self, place: Place) -> str:
        """Which run of the station's program wrote a message; empty if headquarters was not told."""
        found = ""
        for first, run in self.parts.get(place[:2], []):
            if first <= place[2]:
                found = run
        return found

    def declared(self, place: Place) -> bool:
        """Whether headquarters knows that this message will never arrive."""
        return place[2] in self.lost.get(place[:2], ())


@contextmanager
def looking(file: Path) -> Iterator[sqlite3.Connection]:
    """A connection that can only read, and so never folds a log that belongs to another process."""
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)) as db:
        db.execute("BEGIN")
        yield db


def disk(file: Path) -> Disk:
    """A station's database."""
    found = Disk()
    with looking(file) as db:
        found.stream, found.acked = meta(db, "stream", ""), int(meta(db, "acked", "0"))
        columns = {row[1] for row in db.execute("PRAGMA table_info(_stream_up)")}
        run = "run" if "run" in columns else "''"
        for number, body, name in db.execute(f"SELECT number, body, {run} FROM _stream_up"):
            found.rows[number], found.runs[number] = bytes(body), name
        if "legal_aid_booking" in _tables(db):
            rows = db.execute("SELECT request, status, code FROM legal_aid_booking")
            found.bookings = {request: (status, code) for request, status, code in rows}
    return found


def books(file: Path) -> Books:
    """Headquarters' database."""
    found = Books()
    with looking(file) as db:
        streams: dict[int, tuple[str, str]] = {}
        for id, station, name, upto in db.execute("SELECT id, station, name, upto FROM stream"):
            streams[id] = (station, name)
            found.upto[station, name] = upto
        for stream, number, kind, valid, at, body in db.execute(
            "SELECT stream, number, kind, valid, at, body FROM message"
        ):
            place = (*streams[stream], number)
            if place in found.messages:
                found.twice[place] += 1
            found.messages[place] = Filed(
                body.encode() if isinstance(body, str) else body, kind, bool(valid), at
            )
        for stream, first, last in db.execute("SELECT stream, first, last FROM lost"):
            found.lost.setdefault(streams[stream], set()).update(range(first, last + 1))
        for stream, first, run in db.execute("SELECT stream, first, run FROM part ORDER BY first"):
            found.parts.setdefault(streams[stream], []).append((first, run))
        found.known = known(db)
        found.requests = {
            (station, id): status
            for station, id, status in db.execute("SELECT station, id, status FROM request")
        }
        for station, request, code in db.execute(
            "SELECT station, request, code FROM booking WHERE state = 'open'"
        ):
            found.bookings.setdefault((station, request), []).append(code)
    return found


def known(db: sqlite3.Connection) -> dict[str, Known]:
    """What headquarters knows of each station, as its pages judge it."""
    marks = dict(db.execute("SELECT station, complete_to FROM watermark"))
    heard = dict(db.execute("SELECT station, min(first_at) FROM stream GROUP BY station"))
    gaps: dict[str, list[Gap]] = {}
    for row in db.execute("SELECT station, since, until, why, n, at FROM gap"):
        gaps.setdefault(row[0], []).append(Gap(*row))
    found = {
        id: completeness.known(claimed, revoked, marks.get(id), gaps.get(id, ()), heard.get(id))
        for id, claimed, revoked in db.execute("SELECT id, claimed_at, revoked_at FROM station")
    }
    return {id: each for id, each in found.items() if each is not None}


def called_complete(station: Known | None, at: int) -> bool:
    """Whether headquarters shows a number of this moment (ms) as complete."""
    return station is not None and completeness.state(station, at, at + 1, at + 1) == "complete"


def cursors(file: Path) -> dict[tuple[str, str], int]:
    """Up to where headquarters has each stream: (station, stream) to number."""
    with looking(file) as db:
        return {
            (station, name): upto
            for station, name, upto in db.execute("SELECT station, name, upto FROM stream")
        }


def stream_of(file: Path) -> str:
    """The stream that a station speaks now."""
    with looking(file) as db:
        return meta(db, "stream", "")


def meta(db: sqlite3.Connection, key: str, default: str) -> str:
    """One remembered value of a station."""
    row = db.execute("SELECT value FROM _meta WHERE key = ?", [key]).fetchone()
    return default if row is None else str(row[0])


def content_of(body: bytes) -> tuple[str, str, str, int, str] | None:
    """What a message is, whatever its number: see `Entry.what`; None for what cannot be read."""
    try:
        said = json.loads(body)
        return said["t"], said.get("plugin", ""), said.get("name", ""), said.get("at", 0), said.get("id", "")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _tables(db: sqlite3.Connection) -> set[str]:
    return {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
