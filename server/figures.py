"""The figures that pages and the API show, as plain data. All times are ms since 1970 UTC."""

from typing import Any, Literal

import msgspec

from protocol.manifest import Words

State = Literal["complete", "partial", "unknown", "future"]


class Hour(msgspec.Struct, frozen=True):
    """One hour of a day: `n` in all, `by` trade; `complete` of `expected` stations reported all of it."""

    start: int
    label: str
    state: State
    complete: int
    expected: int
    n: int
    by: dict[str, int]


class Service(msgspec.Struct, frozen=True):
    """How often a service was opened, and how those visits ended."""

    plugin: str
    title: Words
    icon: str
    colour: str
    opened: int
    finished: int
    left: int
    idle: int


class Metric(msgspec.Struct, frozen=True):
    """A metric of a manifest over the day, split by each of its fields."""

    plugin: str
    name: str
    title: Words
    n: int
    by: dict[str, dict[str, int]]


class Bookings(msgspec.Struct, frozen=True):
    """Booking requests that came in on the day: confirmed, not yet answered, slot taken, refused."""

    confirmed: int
    waiting: int
    taken: int
    refused: int


class StationLine(msgspec.Struct, frozen=True):
    """One station of the overview; `lost` means silent for more than 15 minutes. Times in ms or None."""

    id: str
    number: str
    name: str
    claimed: bool
    online: bool
    lost: bool
    seen_at: int | None
    complete_to: int | None
    version: str
    visits: int
    faults: int


class FaultLine(msgspec.Struct, frozen=True):
    """A plugin's failure at a station: how often on the day, and when last."""

    station: str
    plugin: str
    version: str
    place: str
    kind: str
    times: int
    last_at: int


class Overview(msgspec.Struct, frozen=True):
    """A day at a glance. `visits_before` is the same weekday a week earlier.

    `complete_to` is the time up to which all stations that are not lost have reported everything;
    `complete_share` (0..1) is how many of all claimed stations have reached it.
    """

    day: str
    zone: str
    now: int
    visits: int
    visits_before: int
    people: int
    hours: list[Hour]
    splits: list[str]
    services: list[Service]
    metrics: list[Metric]
    stations_total: int
    stations_online: int
    stations_lost: int
    complete_to: int | None
    complete_share: float
    bookings: Bookings
    stations: list[StationLine]
    faults: list[FaultLine]


class Count(msgspec.Struct, frozen=True):
    """A number of events with its completeness: how many of the expected stations have reported all."""

    n: int
    state: State
    complete: int
    expected: int


class BookingLine(msgspec.Struct, frozen=True):
    """A booking as the office sees it; `contact` is sealed to the office's key."""

    id: int
    station: str
    slot: str
    code: str
    matter: str
    state: str
    starts_at: int
    placed_at: int
    contact: str
    details: dict[str, Any]
