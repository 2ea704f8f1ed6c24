"""The figures that pages and the API show, as plain data. All times are ms since 1970 UTC."""

from typing import Any

import msgspec

from protocol.manifest import Words
from server.completeness import Completeness, State, StationState


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
    """One station of the overview; `lost` means silent for more than 15 minutes. Times in ms or None.

    `state` says how much of its numbers is there, up to the time by which the sums beside it are judged.
    """

    id: str
    number: str
    name: str
    claimed: bool
    online: bool
    lost: bool
    seen_at: int | None
    complete_to: int | None
    state: StationState
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


class RefusalLine(msgspec.Struct, frozen=True):
    """What was turned away for one reason: how often in all, when last, and what was wrong then.

    Of reason `clone`, `problem` is a JSON list of two machines: stream, run, boot, last heard (ms) of each.
    """

    reason: str
    station: str
    n: int
    last_at: int
    problem: str


class Overview(msgspec.Struct, frozen=True):
    """A day, or several, at a glance. `sums` says of every sum in here how much of it is there.

    `visits_before` is the same weekday a week earlier, or as many days before; `before` says how much of it.
    `complete_to` (ms) is the time up to which all stations that are not behind have reported everything;
    `complete_share` (0..1) is how many of all that should have reached it without a gap.
    """

    day: str
    zone: str
    now: int
    sums: Completeness
    visits: int
    visits_before: int
    before: Completeness
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
    """A number of events: `complete` of `expected` stations have reported all of them up to `upto` (ms)."""

    n: int
    state: State
    complete: int
    expected: int
    upto: int | None


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


class StationHour(msgspec.Struct, frozen=True):
    """An hour of one station: `n` events of all kinds, `visits` among them."""

    start: int
    label: str
    state: StationState
    n: int
    visits: int


class GapLine(msgspec.Struct, frozen=True):
    """What happened from `since` to `until` (None: still open) may never arrive: `n` messages, 0 if unknown.

    `why` is lost, disk, damaged, copy, parked, new_stream, clone or clock (it came, but from an hour
    that nobody knows); `at` is when headquarters heard of it.
    """

    since: int
    until: int | None
    why: str
    n: int
    at: int


class RunLine(msgspec.Struct, frozen=True):
    """A run of the station's program, which wrote its stream from number `first` on; heard of at `at`."""

    run: str
    first: int
    boot: str
    at: int


class StreamLine(msgspec.Struct, frozen=True):
    """A stream of a station: stored up to number `upto`; begun at `first_at`, last heard of at `heard_at`."""

    name: str
    upto: int
    first_at: int
    heard_at: int
    runs: list[RunLine]


class Clocks(msgspec.Struct, frozen=True):
    """Messages that arrived on the day by a wrong clock: their time was corrected, or is not to be told."""

    corrected: int
    unsure: int


class StationDay(msgspec.Struct, frozen=True):
    """One station on one day. `sums` says how much of the day is there; refusals are of all time."""

    day: str
    zone: str
    now: int
    station: StationLine
    hours_open: str
    claimed_at: int | None
    revoked_at: int | None
    sums: Completeness
    hours: list[StationHour]
    gaps: list[GapLine]
    refusals: list[RefusalLine]
    faults: list[FaultLine]
    streams: list[StreamLine]
    clocks: Clocks


class StationStates(msgspec.Struct, frozen=True):
    """A station's hours, a letter each: c(omplete), p(artial), u(nknown), f(uture), - (not expected)."""

    id: str
    hours: str


class DayStates(msgspec.Struct, frozen=True):
    """Every station that may speak with the state of each hour; `starts` are the hours' beginnings (ms)."""

    day: str
    zone: str
    now: int
    starts: list[int]
    stations: list[StationStates]
