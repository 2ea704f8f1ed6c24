"""Bookings as the office sees them, and how many were asked for."""

import json

from sqlalchemy import Connection, func, select

from server.figures import BookingLine, Bookings
from server.store.schema import booking, request


def bookings(conn: Connection, start: int | None = None, end: int | None = None) -> list[BookingLine]:
    """Bookings by the time of their slot, those of [start, end) ms if given."""
    found = select(booking).order_by(booking.c.starts_at, booking.c.id)
    if start is not None:
        found = found.where(booking.c.starts_at >= start)
    if end is not None:
        found = found.where(booking.c.starts_at < end)
    names = BookingLine.__struct_fields__
    return [
        BookingLine(**{**{name: row[name] for name in names}, "details": json.loads(row["details"])})
        for row in conn.execute(found).mappings()
    ]


def booked(conn: Connection, start: int, end: int) -> Bookings:
    """Booking requests that came in from `start` to `end` (ms), by what became of them."""
    found = (
        select(request.c.status, func.count())
        .where(request.c.service == "booking", request.c.received_at >= start, request.c.received_at < end)
        .group_by(request.c.status)
    )
    n = {status or "waiting": int(times) for status, times in conn.execute(found)}
    return Bookings(*(n.get(status, 0) for status in Bookings.__struct_fields__))
