"""The accounts must agree exactly: ledger, station's disk, raw messages, rollups, requests, API."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from protocol.manifest import Manifest
from protocol.sealed import blank
from server.manifests import read_all
from server.store import rollups
from server.times import ZONE
from tests.faults.accounts import Books, Disk, Place, called_complete, content_of
from tests.faults.booth import Booth
from tests.faults.centre import Centre
from tests.faults.ledger import Entry

VISIT = ("check_in", "checked_in")
SHOWN = 3  # differences that are spelt out


@dataclass
class Verdict:
    """Differences by name, so that those of an earlier look can be told from new ones.

    `declared` are messages that headquarters says will never arrive.
    """

    lost: set[str] = field(default_factory=set)
    doubled: set[str] = field(default_factory=set)
    invented: set[str] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        return bool(self.lost or self.doubled or self.invented or self.problems)

    def since(self, earlier: "Verdict") -> "Verdict":
        """What is new since another verdict."""
        return Verdict(
            self.lost - earlier.lost,
            self.doubled - earlier.doubled,
            self.invented - earlier.invented,
            self.declared - earlier.declared,
            [each for each in self.problems if each not in earlier.problems],
        )


class Memory:
    """Every row that was ever seen on a station's disk: what is trimmed or set aside later still counts.

    `rows`: (station, stream, number) to body. `times`: how often one disk held the same words, at most.
    """

    def __init__(self) -> None:
        self.rows: dict[Place, bytes] = {}
        self.times: Counter[tuple[str, bytes]] = Counter()

    def look(self, station: str, disk: Disk) -> None:
        for number, body in disk.rows.items():
            self.rows[station, disk.stream, number] = body
        for words, n in Counter(_plain(body) for body in disk.rows.values()).items():
            self.times[station, words] = max(n, self.times[station, words])


def compare(
    booths: Sequence[Booth], before: dict[str, Disk], books: Books, after: dict[str, Disk], memory: Memory
) -> Verdict:
    """Ledger and disks against headquarters. The disks are read before and after headquarters was.

    So what a station adds meanwhile counts neither as lost nor as invented.
    """
    verdict = Verdict()
    for booth in booths:
        memory.look(booth.id, before[booth.id])
        memory.look(booth.id, after[booth.id])
        _ledger(verdict, booth, books)
        _disk(verdict, booth, before[booth.id], after[booth.id], books, memory)
        _requests(verdict, booth, after[booth.id], books)
    _doubled(verdict, books, memory)
    return verdict


def _ledger(verdict: Verdict, booth: Booth, books: Books) -> None:
    """What was shown as done is at headquarters, in its place, or in a stream that came after it."""
    station, entries = booth.id, booth.ledger.entries()
    moved: list[Entry] = []
    for entry in entries:
        place = (station, entry.stream, entry.number)
        filed = books.messages.get(place)
        run = books.run(place)
        if filed is None or content_of(filed.body) != entry.what:
            moved.append(entry)
        elif run and run != entry.run:
            verdict.problems.append(f"message {entry.number} of {station} is {entry.run}'s, filed as {run}'s")
    if not moved:
        return
    shown = {(entry.stream, entry.number) for entry in entries} - {(e.stream, e.number) for e in moved}
    elsewhere: Counter[object] = Counter()
    for place, filed in books.messages.items():
        if place[0] == station and place[1:] not in shown:
            elsewhere[content_of(filed.body)] += 1
    for entry in moved:
        if elsewhere[entry.what]:
            elsewhere[entry.what] -= 1
        elif books.declared((station, entry.stream, entry.number)):
            verdict.declared.add(f"number {station} {entry.stream} {entry.number}")
            if called_complete(books.known.get(station), entry.at):
                verdict.problems.append(
                    f"{station} is called complete at {entry.at}, and number {entry.number} of then is lost"
                )
        else:
            verdict.lost.add(f"shown {station} {entry.stream} {entry.number} {entry.plugin}.{entry.name}")


def _disk(verdict: Verdict, booth: Booth, before: Disk, after: Disk, books: Books, memory: Memory) -> None:
    """What the disk holds is there byte for byte, what is there was on the disk, and no number is missing."""
    station = booth.id
    for number, body in before.rows.items():
        if before.stream != after.stream:
            break
        place = (station, before.stream, number)
        filed = books.messages.get(place)
        if filed is None:
            if books.declared(place):
                verdict.problems.append(
                    f"message {number} of {station} is said to be lost, and its disk has it"
                )
            else:
                verdict.lost.add(f"stored {station} {before.stream} {number}")
        elif _plain(filed.body) != _plain(body):
            verdict.problems.append(f"message {number} of {station} differs from what its disk holds")
    for place in books.messages:
        if place[:2] != (station, after.stream):
            continue
        unknown = place not in memory.rows and place[2] >= min(after.rows, default=1)
        # What reached headquarters just before the damage may have been seen on the disk by nobody else.
        if unknown and not booth.wrecked:
            verdict.invented.add(f"{station} {after.stream} {place[2]}")
        if books.declared(place):
            verdict.problems.append(f"message {place[2]} of {station} is there, and is said to be lost")
    for key, upto in books.upto.items():
        if key[0] != station:
            continue
        gone = books.lost.get(key, set())
        missing = [n for n in range(1, upto + 1) if (*key, n) not in books.messages and n not in gone]
        verdict.lost.update(f"number {station} {key[1]} {n}" for n in missing)
        verdict.declared.update(f"number {station} {key[1]} {n}" for n in gone)


def _requests(verdict: Verdict, booth: Booth, disk: Disk, books: Books) -> None:
    station = booth.id
    for body in disk.rows.values():
        what = content_of(body)
        if what is None or what[0] != "request":
            continue
        if books.requests.get((station, what[4])) is None:
            verdict.problems.append(f"request {what[4]} of {station} is not answered")
    confirmed = {request: code for request, (status, code) in disk.bookings.items() if status == "confirmed"}
    theirs = {request: codes for (id, request), codes in books.bookings.items() if id == station}
    for request, code in confirmed.items():
        if theirs.get(request) != [code]:
            verdict.problems.append(
                f"booking {request} of {station} is {code} here, {theirs.get(request)} there"
            )
    shown = {entry.what[4] for entry in booth.ledger.entries() if entry.what[0] == "request"}
    for request in theirs.keys() - confirmed.keys():
        if booth.wrecked and request in shown and request not in disk.bookings:
            continue  # its row lay where the damage was; the visitor has the number, headquarters the booking
        verdict.problems.append(f"booking {request} of {station} is confirmed at headquarters only")


def _doubled(verdict: Verdict, books: Books, memory: Memory) -> None:
    """Nothing is filed twice: not in one place, and not the same thing under two numbers."""
    verdict.doubled.update(f"{place}" for place in books.twice)
    mine = {station for station, _, _ in memory.rows}  # others say what they like
    found: dict[tuple[str, bytes], list[Place]] = {}
    for place, filed in books.messages.items():
        if filed.kind in ("event", "request") and place[0] in mine:
            found.setdefault((place[0], _plain(filed.body)), []).append(place)
    for said, places in found.items():
        # Two answers in one millisecond are two messages with the same words.
        if len(places) > max(1, memory.times[said]):
            words = said[1].decode(errors="replace")[:150]
            verdict.doubled.update(f"{place} and {places[0]}: {words}" for place in places[1:])


def figures(centre: Centre, booths: Iterable[Booth], books: Books) -> list[str]:
    """Rollups and the API's sums against raw events."""
    problems = _rollups(centre)
    visits: Counter[str] = Counter()
    counts: Counter[tuple[str, str, str]] = Counter()
    for (station, _, _), filed in books.messages.items():
        what = content_of(filed.body)
        if filed.kind != "event" or not filed.valid or what is None:
            continue
        counts[station, what[1], what[2]] += 1
        if what[1:3] == VISIT:
            visits[datetime.fromtimestamp(filed.at / 1000, ZoneInfo(ZONE)).date().isoformat()] += 1
    mine = {booth.id for booth in booths}
    for (station, plugin, name), n in counts.items():
        if station in mine:
            shown = centre.api("events/count", station=station, plugin=plugin, name=name)["n"]
            if shown != n:
                problems.append(f"{station} {plugin}.{name}: {n} stored, {shown} shown")
    for day, n in visits.items():
        if not "2020" <= day[:4] < "2200":
            continue
        shown = centre.api("overview", day=day)["visits"]
        if shown != n:
            problems.append(f"visits on {day}: {n} stored, {shown} shown")
    return problems


def recounted(centre: Centre) -> list[str]:
    """The same by the product's own command, as an operator asks it."""
    said = centre.command("recount")
    if said.returncode or "; 0 differ." not in said.stdout:
        return [f"recount: {(said.stdout + said.stderr).strip()}"]
    return []


def _rollups(centre: Centre) -> list[str]:
    """Hourly numbers that differ from a recount of the raw events."""
    reading = f"file:{centre.database}?mode=ro"
    engine = create_engine(
        "sqlite://", creator=lambda: sqlite3.connect(reading, uri=True), poolclass=NullPool
    )
    try:
        with engine.connect() as conn:
            found = rollups.recount(conn, _manifests())
    finally:
        engine.dispose()
    differing = sorted(found.differing)[:SHOWN]
    return [f"rollup {key}: {found.counted[key]} events, {found.stored[key]} counted" for key in differing]


def _plain(body: bytes) -> bytes:
    """A message without what was sealed in it: a station lets that go, and so does headquarters."""
    if b'"request"' not in body[:20]:
        return body
    try:
        said = json.loads(body)
        manifest = _manifests().get(said["plugin"])
        return blank(body, manifest.sealed_fields(said["name"])) if manifest else body
    except (ValueError, KeyError, TypeError):
        return body


@cache
def _manifests() -> dict[str, Manifest]:
    return read_all()[0]
