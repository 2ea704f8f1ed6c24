"""Bookings: a slot is free, or it is somebody's. Decided in one transaction, settled by a unique index."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from protocol.manifest import Manifest
from protocol.messages import Reply
from server.errors import NotFound, Refused
from server.services import Order
from server.store import content, keys, requests
from server.store.schema import booking, request
from server.times import ZONE

ALTERNATIVES: Final = 4
_TRIES: Final = 50  # with 90,000 codes the first one is nearly always free


def place(conn: Connection, order: Order) -> Reply:
    """Answer a booking request: confirmed with a code, taken with other slots, or refused with a reason."""
    collection, slot_id = _collection(order), str(order.request.d.get("slot", ""))
    slot = content.row(conn, collection, slot_id)
    if slot is None:
        return order.reply("refused", why="no_such_slot")
    matter = str(order.request.d.get("matter", ""))
    if matter and slot.get("matters") and matter not in _matters(slot):
        return order.reply("refused", why="other_matter")
    if starts_at(slot) <= order.now:
        return order.reply("refused", why="past")
    code = _take(conn, collection, slot_id, slot, matter, order) if slot["free"] else None
    if code is None:
        return order.reply("taken", alternatives=_alternatives(conn, collection, slot, matter, order.now))
    content.put(conn, collection, _key(order, collection), [{**slot, "free": False}])
    return order.reply("confirmed", code=code, slot=slot_id)


def starts_at(slot: dict[str, Any]) -> int:
    """When a slot begins, in ms since 1970."""
    local = datetime.strptime(f"{slot['date']} {slot['start']}", "%Y-%m-%d %H:%M")  # noqa: DTZ007 - zone below
    return int(local.replace(tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)


def finish(conn: Connection, manifests: Mapping[str, Manifest], booking_id: int, state: str) -> None:
    """The office has seen the visitor (`done`), or it is off (`cancelled`): code and contact are let go."""
    if state not in ("done", "cancelled"):
        raise Refused(f"'{state}' is no end of a booking: use done or cancelled.", state=state)
    ended = update(booking).where(booking.c.id == booking_id).values(state=state, contact="")
    if not conn.execute(ended).rowcount:
        raise NotFound(f"There is no booking {booking_id}.", booking=booking_id)
    forget_contacts(conn, manifests)


def finish_past(conn: Connection, manifests: Mapping[str, Manifest], before: int) -> int:
    """Bookings whose slot began before this time (ms) are done, their contacts let go; how many."""
    past = (booking.c.state == "open", booking.c.starts_at < before)
    done = conn.execute(update(booking).where(*past).values(state="done", contact="")).rowcount
    forget_contacts(conn, manifests)
    return done


def forget_contacts(conn: Connection, manifests: Mapping[str, Manifest]) -> int:
    """Make the contact of every request empty of which no booking is open; of how many requests.

    That is also what was answered with taken or refused: nobody will call back for it.
    """
    wanted = exists().where(
        booking.c.station == request.c.station,
        booking.c.request == request.c.id,
        booking.c.state == "open",
    )
    over = requests.holding_sealed().where(request.c.service == "booking", ~wanted)
    return requests.blank_sealed(conn, manifests, conn.execute(over).all())


def open_slots(conn: Connection, collection: str) -> set[str]:
    """The slots that are somebody's."""
    found = select(booking.c.slot).where(booking.c.collection == collection, booking.c.state == "open")
    return set(conn.scalars(found))


def _collection(order: Order) -> str:
    for name, declared in order.manifest.content.items():
        if declared.served_by == "booking":
            return f"{order.manifest.id}.{name}"
    raise Refused(f"{order.manifest.id}: the manifest declares no content that is served by booking")


def _key(order: Order, collection: str) -> str:
    return order.manifest.content[collection.partition(".")[2]].key


def _take(
    conn: Connection, collection: str, slot_id: str, slot: dict[str, Any], matter: str, order: Order
) -> str | None:
    """Make the slot this request's own and return its code; None if somebody else has it."""
    for code in _codes(keys.get(conn, "booking_code"), order):
        try:
            with conn.begin_nested():
                conn.execute(
                    insert(booking).values(
                        collection=collection,
                        slot=slot_id,
                        starts_at=starts_at(slot),
                        code=code,
                        station=order.station,
                        request=order.request.id,
                        matter=matter,
                        contact=str(order.request.d.get("contact", "")),
                        office=order.kind.office,
                        state="open",
                        placed_at=order.now,
                        details=json.dumps(slot, ensure_ascii=False),
                    )
                )
        except IntegrityError:
            if slot_id in open_slots(conn, collection):
                return None
            continue  # the code was in use
        return code
    raise Refused("All booking codes are in use; finish old bookings first.")


def _codes(key: bytes, order: Order) -> Iterator[str]:
    """Codes for this request, the same at every time: a slip in somebody's hand outlives a restore."""
    for n in range(_TRIES):
        name = f"{order.station}\0{order.request.id}\0{n}".encode()
        drawn = int.from_bytes(blake2b(name, key=key, digest_size=8).digest())
        yield str(10_000 + drawn % 90_000)


def _alternatives(
    conn: Connection, collection: str, slot: dict[str, Any], matter: str, now: int
) -> list[str]:
    wanted = starts_at(slot)
    fits = [
        (abs(start - wanted), start, key)
        for key, other in content.keyed(conn, collection).items()
        if other["free"] and (not matter or not other.get("matters") or matter in _matters(other))
        for start in [starts_at(other)]
        if start > now
    ]
    return [key for _, _, key in sorted(fits)[:ALTERNATIVES]]


def _matters(slot: dict[str, Any]) -> list[str]:
    return [each.strip() for each in str(slot["matters"]).split(",")]
