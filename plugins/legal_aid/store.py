"""The rota as it stands, and the bookings asked for at this station: no name, no telephone number.

A booking is looked up by the station's own number of four digits, or by the centre's code of five.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from plugins.legal_aid import rules
from plugins.legal_aid.rules import Outlook, Slot

if TYPE_CHECKING:
    import sqlite_utils

    from kiosk.receipt import Receipt
    from kiosk.station import Station
    from protocol.messages import Reply

ASKED: Final = "asked"
ANSWERS: Final = ("confirmed", "taken", "refused")
NUMBERS: Final = range(1000, 10_000)


@dataclass(frozen=True)
class Booking:
    """A request for a slot, and what became of it. `number` is this station's, `code` the centre's."""

    request: str
    number: str
    matter: str
    slot: Slot
    status: str = ASKED
    code: str = ""
    why: str = ""
    alternatives: tuple[str, ...] = ()


class Store:
    """Screens read it without waiting; it changes only once the disk has said yes."""

    def __init__(self, station: "Station") -> None:
        """Make the table and load; for the `setup` hook, which may wait for the disk."""
        self._station = station
        self._slots: tuple[Slot, ...] | None = None
        self._gone: set[str] = set()  # answered as gone since the rota was last brought up to date
        self._answering: dict[str, Booking] = {}  # as they stand once the disk has said yes
        self._today = station.clock.today()
        self._bookings: dict[str, Booking] = station.database.write(_load).wait().value
        self.forget_old()

    # the rota

    def offered(self, matter: str = "") -> tuple[Slot, ...]:
        """The slots to come for this matter, any if empty; what this station has asked for is not free."""
        return rules.offered(self._rota(), matter, self._now(), self._days(), self._held())

    def outlook(self) -> Outlook:
        """What is free today, and next."""
        return rules.outlook(self._rota(), self._now(), self._days(), self._held())

    def slots(self, ids: Sequence[str]) -> tuple[Slot, ...]:
        """Those of these slots that are still free."""
        return tuple(slot for slot in self.offered() if slot.free and slot.slot_id in ids)

    def lawyers(self) -> int:
        """How many lawyers take turns in the days that are offered."""
        return len({slot.person for slot in self.offered() if slot.role == "lawyer"})

    def changed(self) -> None:
        """The rota has a new revision."""
        self._slots = None
        self._gone.clear()

    # the bookings

    def booking(self, request: str) -> Booking | None:
        """A booking by its request id."""
        return self._bookings.get(request)

    def find(self, digits: str) -> Booking | None:
        """A booking by this station's number or by the centre's code."""
        if not digits:
            return None
        return next((each for each in self._bookings.values() if digits in (each.number, each.code)), None)

    def ask(self, slot: Slot, matter: str, contact: str = "", request: str = "") -> "Receipt[str]":
        """Store the request for a slot; `contact` is sealed already, or empty for a number only.

        `request` names the booking: the same one again changes nothing at the centre. The usage event is
        stored with it or not at all.
        """
        booking = Booking(request or secrets.token_hex(12), self._new_number(), matter, slot)
        sealed = {"contact": contact} if contact else {}

        def asked(receipt: "Receipt[str]") -> None:
            if receipt.ok:
                self._bookings[booking.request] = booking
                self._station.refresh()

        return self._station.request(
            "place_booking",
            id=booking.request,
            event=("asked", {"matter": matter}),
            also=lambda db: _insert(db, booking, self._station.clock.wall_ms()),
            slot=slot.slot_id,
            matter=matter,
            **sealed,
        ).then(asked)

    def answer(self, reply: "Reply") -> "Receipt[int] | None":
        """The centre has answered, perhaps for the second time, perhaps a booking long forgotten.

        A centre restored from a backup may answer otherwise than before: its last word counts. None if there
        is nothing to store.
        """
        booking = self._answering.get(reply.id) or self._bookings.get(reply.id)
        if booking is None or reply.status not in ANSWERS:
            return None
        others = reply.d.get("alternatives")
        answered = replace(
            booking,
            status=reply.status,
            code=str(reply.d.get("code") or "")[:8],
            why=str(reply.d.get("why") or "")[:40],
            alternatives=tuple(map(str, others)) if isinstance(others, list) else (),
        )
        if answered == booking:
            return None
        self._answering[reply.id] = answered

        def stored(receipt: "Receipt[int]") -> None:
            if self._answering.get(reply.id) is answered:
                del self._answering[reply.id]
            if not receipt.ok:
                return
            self._bookings[reply.id] = answered
            if answered.status == "refused":
                self._gone.discard(booking.slot.slot_id)
            else:
                self._gone.add(booking.slot.slot_id)
            self._station.refresh()

        return self._station.report("answered", how=reply.status, also=lambda db: _update(db, answered)).then(
            stored
        )

    def forget_old(self) -> None:
        """Delete the bookings whose slot has long passed."""
        today = rules.surely(self._station.clock.today(), self._rota())
        if today is None:
            return
        old = [each.request for each in self._bookings.values() if rules.expired(each.slot.date, today)]
        for request in old:
            del self._bookings[request]
        if old:
            self._station.database.write(lambda db: _delete(db, old))

    def _rota(self) -> tuple[Slot, ...]:
        if self._slots is None:
            read = (rules.read(row) for row in self._station.content("slots"))
            self._slots = tuple(slot for slot in read if slot is not None)
        return self._slots

    def _held(self) -> set[str]:
        waiting = {each.slot.slot_id for each in self._bookings.values() if each.status == ASKED}
        return waiting | self._gone

    def _now(self) -> datetime:
        return self._station.clock.now().replace(tzinfo=None)

    def _days(self) -> int:
        return int(self._station.settings["days_ahead"])

    def _new_number(self) -> str:
        used = {each.number for each in self._bookings.values()}
        return secrets.choice([number for each in NUMBERS if (number := str(each)) not in used])


def _load(db: "sqlite_utils.Database") -> dict[str, Booking]:
    from kiosk.migrations import Migrations

    migrations = Migrations("legal_aid")

    @migrations()
    def bookings(db: "sqlite_utils.Database") -> None:
        # Day, time, person and room are kept beside the slot's id: the rota forgets past slots.
        db.execute(
            "CREATE TABLE legal_aid_booking (request TEXT PRIMARY KEY, number TEXT NOT NULL UNIQUE,"
            " slot TEXT NOT NULL, matter TEXT NOT NULL, status TEXT NOT NULL, code TEXT NOT NULL,"
            " asked_at INTEGER NOT NULL, why TEXT NOT NULL, alternatives TEXT NOT NULL,"
            " date TEXT NOT NULL, start TEXT NOT NULL, minutes INTEGER NOT NULL,"
            " person TEXT NOT NULL, role TEXT NOT NULL, room TEXT NOT NULL) WITHOUT ROWID"
        )

    migrations.apply(db)
    found = {}
    for row in db.query("SELECT * FROM legal_aid_booking ORDER BY asked_at"):
        slot = rules.read({**row, "slot_id": row["slot"]})
        if slot is not None:
            found[row["request"]] = Booking(
                request=row["request"],
                number=row["number"],
                matter=row["matter"],
                slot=slot,
                status=row["status"],
                code=row["code"],
                why=row["why"],
                alternatives=tuple(json.loads(row["alternatives"])),
            )
    return found


def _insert(db: "sqlite_utils.Database", booking: Booking, now: int) -> None:
    slot = booking.slot
    db.execute(
        "INSERT INTO legal_aid_booking VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            booking.request,
            booking.number,
            slot.slot_id,
            booking.matter,
            booking.status,
            booking.code,
            now,
            booking.why,
            json.dumps(booking.alternatives),
            slot.date.isoformat(),
            slot.start.isoformat("minutes"),
            slot.minutes,
            slot.person,
            slot.role,
            slot.room,
        ],
    )


def _update(db: "sqlite_utils.Database", booking: Booking) -> None:
    db.execute(
        "UPDATE legal_aid_booking SET status = ?, code = ?, why = ?, alternatives = ? WHERE request = ?",
        [booking.status, booking.code, booking.why, json.dumps(booking.alternatives), booking.request],
    )


def _delete(db: "sqlite_utils.Database", requests: list[str]) -> None:
    db.conn.executemany(
        "DELETE FROM legal_aid_booking WHERE request = ?", [[request] for request in requests]
    )
