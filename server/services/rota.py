"""Rotas: who is on when, as pure rules that turn into slots for booking.

A rota is a TOML file: people, rooms, weekly rules, exceptions, closed dates. No person and no room is ever
in two slots at once; what is booked already stays where it is, whatever the rota says now.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Connection, select

from protocol.manifest import Content, Manifest
from server.errors import Refused
from server.manifests import content_of
from server.services import booking
from server.store import content
from server.store.schema import rota as table
from server.store.upsert import put
from server.times import ZONE

DAYS: Final = 14
DEFAULT_COLLECTION: Final = "legal_aid.slots"


class _Strict(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    pass


class Person(_Strict, frozen=True):
    """Somebody on the rota; `id` stands in slot ids, `name` on the screen."""

    id: str
    name: str
    role: str
    matters: list[str]


class Rule(_Strict, frozen=True):
    """These people are on, on these weekdays (1 is Monday), from `start` to `end`; `room` empty is any."""

    people: list[str]
    weekdays: list[Literal[1, 2, 3, 4, 5, 6, 7]]
    start: str
    end: str
    room: str = ""
    minutes: int = 0


class Change(_Strict, frozen=True):
    """On this date the person is away; or, with `start` and `end`, away and on at that time instead."""

    date: date
    person: str
    start: str = ""
    end: str = ""
    room: str = ""


class Rota(_Strict, frozen=True):
    """The whole file."""

    people: list[Person]
    rooms: list[str]
    rules: list[Rule]
    slot_minutes: int = 30
    exceptions: list[Change] = []
    closed: list[date] = []


@dataclass(frozen=True)
class Slot:
    """One bookable time; `begin` and `end` are local and without a zone."""

    id: str
    begin: datetime
    minutes: int
    person: str
    role: str
    matters: str
    room: str
    free: bool = True

    @property
    def end(self) -> datetime:
        """When it is over."""
        return self.begin + timedelta(minutes=self.minutes)

    def row(self) -> dict[str, Any]:
        """As a row of the collection."""
        return {
            "slot_id": self.id,
            "date": self.begin.date().isoformat(),
            "start": self.begin.strftime("%H:%M"),
            "minutes": self.minutes,
            "person": self.person,
            "role": self.role,
            "matters": self.matters,
            "room": self.room,
            "free": self.free,
        }

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Slot":
        """From a row of the collection."""
        begin = _at(date.fromisoformat(row["date"]), row["start"])
        fields = (row[name] for name in ("minutes", "person", "role", "matters", "room", "free"))
        return cls(row["slot_id"], begin, *fields)


def parse(text: str, file: str = "rota.toml") -> Rota:
    """The rota in `text`; Refused with a sentence that names the place and what to write."""
    try:
        rota = msgspec.convert(tomllib.loads(text), Rota, strict=False)
    except tomllib.TOMLDecodeError as err:
        raise Refused(f"{file}: not TOML: {err}") from err
    except msgspec.ValidationError as err:
        what, _, where = str(err).partition(" - at ")
        raise Refused(f"{file}{f', at {_spoken(where)}' if where else ''}: {what}") from err
    for problem in _problems(rota):
        raise Refused(f"{file}, {problem}")
    return rota


def plan(rota: Rota, first: date, days: int = DAYS, kept: Iterable[Slot] = ()) -> list[Slot]:
    """The slots of `days` days from `first` on that fit around the `kept` ones, in order of time.

    Rules are served in the order of the file: whoever comes later finds person and room taken.
    """
    taken = _Taken()
    ids = set()
    for old in kept:
        taken.take(old)
        ids.add(old.id)
    found = []
    for day in (first + timedelta(days=n) for n in range(days)):
        if day in rota.closed:
            continue
        for person, duty in _duties(rota, day):
            minutes = duty.minutes or rota.slot_minutes
            begin, end = _at(day, duty.start), _at(day, duty.end)
            while begin + timedelta(minutes=minutes) <= end:
                slot = _slot(rota, person, begin, minutes, duty.room, taken)
                if slot is not None and slot.id not in ids:
                    taken.take(slot)
                    ids.add(slot.id)
                    found.append(slot)
                begin += timedelta(minutes=minutes)
    return sorted(found, key=lambda slot: (slot.begin, slot.id))


def save(conn: Connection, manifests: Mapping[str, Manifest], text: str, file: str, now: int) -> int:
    """Keep a rota and make its slots; how many slots there are now."""
    collection = DEFAULT_COLLECTION
    declared = content_of(dict(manifests), collection)
    if declared is None:
        raise Refused(f"No plugin here declares the collection {collection}.", collection=collection)
    rota = parse(text, file)
    for person in rota.people:
        if problem := _unfit(declared, person):
            raise Refused(f"{file}, person {person.id}: {problem}")
    put(conn, table, collection=collection, body=text, imported_at=now)
    renew(conn, manifests, now)
    return len(content.rows(conn, collection))


def renew(conn: Connection, manifests: Mapping[str, Manifest], now: int) -> None:
    """Make the slots of the coming days from every rota kept; what is booked stays as it is."""
    today = datetime.fromtimestamp(now / 1000, ZoneInfo(ZONE)).date()
    for collection, text in conn.execute(select(table.c.collection, table.c.body)).all():
        declared = content_of(dict(manifests), collection)
        if declared is None:
            continue
        booked = booking.open_slots(conn, collection)
        old = content.keyed(conn, collection)
        kept = [
            Slot.of(row) for key, row in old.items() if key in booked and Slot.of(row).begin.date() >= today
        ]
        slots = plan(parse(text), today, DAYS, kept)
        content.put(conn, collection, declared.key, (slot.row() for slot in slots))
        stays = {slot.id for slot in [*slots, *kept]}
        content.remove(conn, collection, (key for key in old if key not in stays), now=now)


class _Taken:
    """Who and what is in use when."""

    def __init__(self) -> None:
        self._times: dict[str, list[tuple[datetime, datetime]]] = {}

    def free(self, what: str, begin: datetime, end: datetime) -> bool:
        return all(end <= other or begin >= until for other, until in self._times.get(what, ()))

    def take(self, slot: Slot) -> None:
        for what in (f"person {slot.person}", f"room {slot.room}"):
            self._times.setdefault(what, []).append((slot.begin, slot.end))


def _duties(rota: Rota, day: date) -> list[tuple[Person, Rule]]:
    people = {person.id: person for person in rota.people}
    away = {each.person for each in rota.exceptions if each.date == day}
    duties = [
        (people[name], rule)
        for rule in rota.rules
        if day.isoweekday() in rule.weekdays
        for name in rule.people
        if name not in away
    ]
    for each in rota.exceptions:
        if each.date == day and each.start:
            rule = Rule(people=[each.person], weekdays=[], start=each.start, end=each.end, room=each.room)
            duties.append((people[each.person], rule))
    return duties


def _slot(rota: Rota, person: Person, begin: datetime, minutes: int, room: str, taken: _Taken) -> Slot | None:
    end = begin + timedelta(minutes=minutes)
    if not taken.free(f"person {person.name}", begin, end):
        return None
    rooms = [room] if room else rota.rooms
    for each in rooms:
        if taken.free(f"room {each}", begin, end):
            name = f"{begin:%Y%m%d-%H%M}-{person.id}"
            return Slot(name, begin, minutes, person.name, person.role, ",".join(person.matters), each)
    return None


def _problems(rota: Rota) -> Iterable[str]:
    ids = [person.id for person in rota.people]
    names = [person.name for person in rota.people]
    for person in rota.people:
        if not person.id or not person.id.isascii() or not person.id.replace("-", "").isalnum():
            yield f"person {person.id!r}: an id has letters, digits and hyphens, such as lawyer-1"
        if len(person.id) > 40:
            yield f"person {person.id}: an id has at most 40 letters"
        if ids.count(person.id) > 1 or names.count(person.name) > 1:
            yield f"person {person.id}: there is another person with this id or name"
    if not rota.rooms:
        yield "rooms: name at least one room"
    if not 5 <= rota.slot_minutes <= 480:
        yield "slot_minutes: use 5 to 480 minutes"
    for number, rule in enumerate(rota.rules, 1):
        for name in rule.people:
            if name not in ids:
                yield f"rule {number}: there is no person '{name}'; use one of {', '.join(ids)}"
        if rule.room and rule.room not in rota.rooms:
            yield f"rule {number}: there is no room '{rule.room}'; use one of {', '.join(rota.rooms)}"
        if problem := _hours(rule.start, rule.end):
            yield f"rule {number}: {problem}"
        if rule.minutes and not 5 <= rule.minutes <= 480:
            yield f"rule {number}: minutes must be 5 to 480"
    for number, each in enumerate(rota.exceptions, 1):
        if each.person not in ids:
            yield f"exception {number}: there is no person '{each.person}'; use one of {', '.join(ids)}"
        if (each.start or each.end) and (problem := _hours(each.start, each.end)):
            yield f"exception {number}: {problem}"
        if each.room and each.room not in rota.rooms:
            yield f"exception {number}: there is no room '{each.room}'; use one of {', '.join(rota.rooms)}"


def _hours(start: str, end: str) -> str:
    for each in (start, end):
        if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", each):
            return f'"{each}" is no time; write e.g. 09:30'
    return "" if start < end else "the end must be after the start"


def _at(day: date, hours: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(hours))


def _unfit(declared: Content, person: Person) -> str:
    roles = declared.fields["role"].values if "role" in declared.fields else []
    if roles and person.role not in roles:
        return f"role must be one of {', '.join(roles)}"
    return ""


def _spoken(where: str) -> str:
    return where.strip("`").removeprefix("$.")
