"""The programme: rows and a date to a timetable, and what it says about any moment.

A slot repeats its items in order from its start to its end, on the wall clock: every station of one
programme plays the same at the same time, and one that restarts joins where the others are. Speech is never
cut: an item begins only where it fits before the slot (or the quiet hours) ends; towards the end the next
one in order that still fits is played, then nothing. Of two slots that overlap the one that begins first
keeps its time and the other gets the rest.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Any, Final, Literal

#: Shorter than this is taken for a slip: nothing is said in it.
MIN_SECONDS: Final = 3
#: How far ahead the next slot is looked for.
DAYS_AHEAD: Final = 8

KINDS: Final = ("news", "story", "policy", "song", "topic")
_CONTENT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")

#: Why a row is not played; `media` and `broken` may pass, the others are the programme's.
Why = Literal["id", "slot", "weekdays", "length", "too_long", "no_room", "quiet", "media", "broken"]
#: Seconds from midnight, the end not included.
Span = tuple[int, int]


@dataclass(frozen=True)
class Item:
    """One item of a slot; `start` and `end` of the slot are seconds from midnight."""

    item_id: str
    title: str
    kind: str
    seconds: int
    media: str
    picture: bool
    position: int
    start: int
    end: int
    weekdays: str


@dataclass(frozen=True)
class Airing:
    """One time that an item is on, from `starts` to `ends`, not included."""

    item: Item
    starts: datetime
    ends: datetime

    @property
    def occurrence(self) -> str:
        """Names this airing and no other, also after a restart."""
        return f"{self.starts:%Y%m%dT%H%M%S}.{self.item.item_id}"

    def offset(self, now: datetime) -> float:
        """Seconds into the item."""
        return max(0.0, (now - self.starts).total_seconds())


@dataclass(frozen=True)
class Skipped:
    """An item that is in the programme and not played, and why."""

    item_id: str
    title: str
    why: Why


@dataclass(frozen=True)
class Slot:
    """A time slot of one day: its full time, its items in order, and what of them cannot be played."""

    starts: datetime
    ends: datetime
    items: tuple[Item, ...]
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True)
class Timetable:
    """A day: every airing in order, and the slots they belong to."""

    day: date
    airings: tuple[Airing, ...] = ()
    slots: tuple[Slot, ...] = ()

    def at(self, now: datetime) -> Airing | None:
        """What is on at this moment, or None."""
        index = bisect_right(self.airings, now, key=lambda airing: airing.starts) - 1
        if index >= 0 and self.airings[index].ends > now:
            return self.airings[index]
        return None

    def after(self, now: datetime, count: int = 2) -> tuple[Airing, ...]:
        """The next airings that have not begun."""
        first = bisect_right(self.airings, now, key=lambda airing: airing.starts)
        return self.airings[first : first + count]

    def slot_at(self, now: datetime) -> Slot | None:
        """The slot of this moment, or None; where two overlap, the one that is on."""
        airing = self.at(now)
        for slot in self.slots:
            if slot.starts <= now < slot.ends and (airing is None or airing.item in slot.items):
                return slot
        return None


def read(rows: Iterable[Mapping[str, Any]]) -> tuple[tuple[Item, ...], tuple[Skipped, ...]]:
    """The rows as items, in the order of slots and positions, and those that make no sense."""
    items, skipped = [], []
    for row in rows:
        item = _item(row)
        if isinstance(item, Item):
            items.append(item)
        else:
            skipped.append(Skipped(str(row.get("item_id", "")), str(row.get("title") or ""), item))
    items.sort(key=lambda item: (item.start, item.end, item.position, item.item_id))
    return tuple(items), tuple(sorted(skipped, key=lambda each: each.item_id))


def _item(row: Mapping[str, Any]) -> Item | Why:
    item_id = str(row.get("item_id", ""))
    start, end = seconds_of(row.get("start")), seconds_of(row.get("end"))
    weekdays = re.sub(r"[\s,，、]", "", str(row.get("weekdays") or "")) or "1234567"
    seconds = row.get("seconds") or 0
    if not _CONTENT_ID.fullmatch(item_id):
        return "id"
    if start is None or end is None or end <= start:
        return "slot"
    if set(weekdays) - set("1234567"):
        return "weekdays"
    if not isinstance(seconds, int) or seconds < MIN_SECONDS:
        return "length"
    if seconds > end - start:
        return "too_long"
    return Item(
        item_id=item_id,
        title=str(row.get("title") or item_id),
        kind=str(row.get("kind")) if row.get("kind") in KINDS else "topic",
        seconds=seconds,
        media=str(row.get("media") or ""),
        picture=bool(row.get("has_picture")),
        position=int(row.get("position") or 0),
        start=start,
        end=end,
        weekdays=weekdays,
    )


def seconds_of(value: object) -> int | None:
    """Seconds from midnight of a time such as 08:30; 24:00 is the end of the day; None for anything else."""
    found = re.fullmatch(r"(\d{1,2}):(\d{2})", str(value or "").strip())
    if not found:
        return None
    seconds = int(found[1]) * 3600 + int(found[2]) * 60
    return seconds if int(found[2]) < 60 and seconds <= 24 * 3600 else None


def quiet_spans(start: str, end: str) -> tuple[Span, ...]:
    """The quiet hours of any day; over midnight they are two spans, and none if both times are the same."""
    first, last = seconds_of(start), seconds_of(end)
    if first is None or last is None or first == last:
        return ()
    return ((first, last),) if first < last else ((0, last), (first, 24 * 3600))


def timetable(
    items: Sequence[Item],
    day: date,
    zone: tzinfo | None,
    playable: Callable[[Item], Why | None] = lambda item: None,
    quiet: Sequence[Span] = (),
) -> Timetable:
    """The day's timetable. `playable` says why an item cannot be played now, or None."""
    midnight = datetime.combine(day, time(0), zone)
    groups: dict[Span, list[Item]] = {}
    for item in items:
        if str(day.isoweekday()) in item.weekdays:
            groups.setdefault((item.start, item.end), []).append(item)
    airings: list[Airing] = []
    slots: list[Slot] = []
    taken = [*quiet]
    for (start, end), members in sorted(groups.items()):
        members.sort(key=lambda item: (item.position, item.item_id))
        ready = [item for item in members if playable(item) is None]
        spans = _free(start, end, taken)
        fitting = [item for item in ready if any(item.seconds <= last - first for first, last in spans)]
        played = _fill(fitting, spans, midnight)
        crowded: Why = "quiet" if _free(start, end, quiet) != [(start, end)] else "no_room"
        heard = {airing.item.item_id for airing in played}
        skipped = tuple(
            Skipped(item.item_id, item.title, playable(item) or crowded)
            for item in members
            if item.item_id not in heard
        )
        slots.append(
            Slot(
                midnight + timedelta(seconds=start),
                midnight + timedelta(seconds=end),
                tuple(members),
                skipped,
            )
        )
        airings += played
        # A slot that has nothing to play leaves its time to the next.
        if played:
            taken.append((start, end))
    airings.sort(key=lambda airing: airing.starts)
    return Timetable(day, tuple(airings), tuple(slots))


def _free(start: int, end: int, taken: Sequence[Span]) -> list[Span]:
    """What of start..end is not taken."""
    edges = sorted(
        (max(start, first), min(end, last)) for first, last in taken if first < end and last > start
    )
    free, at = [], start
    for first, last in edges:
        if first > at:
            free.append((at, first))
        at = max(at, last)
    if at < end:
        free.append((at, end))
    return free


def _fill(items: Sequence[Item], spans: Sequence[Span], midnight: datetime) -> list[Airing]:
    """The items over and over through the spans, each only where it fits as a whole."""
    airings: list[Airing] = []
    turn = 0
    for start, end in spans:
        at = start
        while items:
            for step in range(len(items)):
                item = items[(turn + step) % len(items)]
                if at + item.seconds <= end:
                    break
            else:
                break
            starts = midnight + timedelta(seconds=at)
            airings.append(Airing(item, starts, starts + timedelta(seconds=item.seconds)))
            at += item.seconds
            turn = (turn + step + 1) % len(items)
    return airings


def next_slot(
    items: Sequence[Item],
    now: datetime,
    playable: Callable[[Item], Why | None] = lambda item: None,
    quiet: Sequence[Span] = (),
) -> Airing | None:
    """The first airing of the next stretch of programme, in the days ahead; None if there is none."""
    for ahead in range(DAYS_AHEAD):
        plan = timetable(items, now.date() + timedelta(days=ahead), now.tzinfo, playable, quiet)
        starts = [
            later
            for earlier, later in pairwise((None, *plan.airings))
            if later is not None
            and (earlier is None or earlier.item.start != later.item.start or earlier.ends != later.starts)
        ]
        for airing in starts:
            if airing.starts > now:
                return airing
    return None
