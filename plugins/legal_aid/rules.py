"""The rota and the telephone number: which slots are offered, whose they are, when the next one is."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

MATTERS: Final = ("wages", "injury", "contract", "rent", "other")
KEPT_DAYS: Final = 7  # after the day of the slot, so that a visitor can still look the answer up
CARD_SLOTS: Final = 6

_MOBILE: Final = re.compile(r"1[3-9][0-9]{9}")
#: Behind 010 and 02x come 8 digits, behind other area codes 7 or 8, and never 0 or 1 first.
_LANDLINE: Final = re.compile(r"(010(?=.{8})|02[0-9](?=.{8})|0[3-9][0-9]{2})([2-9][0-9]{6,7})")
_SLOT_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_NUMBERED: Final = re.compile(r"([0-9]{1,3}) *号")


@dataclass(frozen=True, order=True)
class Slot:
    """One place of the rota; `matters` empty stands for every matter."""

    date: date
    start: time
    slot_id: str
    minutes: int = 30
    person: str = ""
    role: str = "lawyer"
    matters: tuple[str, ...] = ()
    room: str = ""
    free: bool = False

    def begins(self) -> datetime:
        """The start without a zone: the rota is written in the station's own time."""
        return datetime.combine(self.date, self.start)

    @property
    def number(self) -> str:
        return number_of(self.person)

    def fits(self, matter: str) -> bool:
        """Whether the person on duty advises on this matter."""
        return not self.matters or matter in self.matters


@dataclass(frozen=True)
class Duty:
    """One person on one day: what a card of the screen shows."""

    person: str
    role: str
    date: date
    room: str
    matters: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def number(self) -> str:
        return number_of(self.person)


@dataclass(frozen=True)
class Outlook:
    """What the tile says: `today` free places today, and the first free slot of all."""

    today: int = 0
    lawyer_today: bool = False
    next: Slot | None = None


def number_of(person: str) -> str:
    """The number in a name such as "2 号律师"; empty if it has none."""
    found = _NUMBERED.match(person)
    return found[1] if found else ""


def read(row: Mapping[str, Any]) -> Slot | None:
    """A row of the rota; None for one that cannot be offered."""
    slot_id = str(row.get("slot_id", ""))
    if not _SLOT_ID.fullmatch(slot_id):
        return None
    try:
        return Slot(
            date=date.fromisoformat(row["date"]),
            start=time.fromisoformat(row["start"]).replace(tzinfo=None),
            slot_id=slot_id,
            minutes=int(row.get("minutes") or 30),
            person=str(row.get("person") or ""),
            role=str(row.get("role") or "lawyer"),
            matters=tuple(
                each for each in re.split(r"[,，、 ]+", str(row.get("matters") or "")) if each in MATTERS
            ),
            room=str(row.get("room") or ""),
            free=row.get("free") is True,
        )
    except (KeyError, TypeError, ValueError):
        return None


def offered(
    slots: Iterable[Slot], matter: str, now: datetime, days: int, held: Collection[str] = ()
) -> tuple[Slot, ...]:
    """The slots still to come within `days`, in order, for this matter (any if empty).

    `now` is local, without a zone. A slot in `held` is not free, whatever the rota says.
    """
    last = now.date() + timedelta(days=days - 1)
    coming = (
        slot
        for slot in slots
        if now < slot.begins() and slot.date <= last and (not matter or slot.fits(matter))
    )
    return tuple(_held(slot) if slot.slot_id in held else slot for slot in sorted(coming))


def duties(slots: Iterable[Slot]) -> tuple[Duty, ...]:
    """The slots by day, person and room, those with the earliest free slot first.

    Who has nothing free is left out; more slots than a card holds make a second card.
    """
    grouped: dict[tuple[date, str, str, str], list[Slot]] = {}
    for slot in slots:
        grouped.setdefault((slot.date, slot.person, slot.role, slot.room), []).append(slot)
    cards = []
    for (day, person, role, room), own in grouped.items():
        own.sort()
        matters = tuple(each for each in MATTERS if any(each in slot.matters for slot in own))
        for at in range(0, len(own), CARD_SLOTS):
            part = tuple(own[at : at + CARD_SLOTS])
            if any(slot.free for slot in part):
                cards.append(Duty(person, role, day, room, matters, part))
    return tuple(sorted(cards, key=lambda card: (next(s for s in card.slots if s.free), card.person)))


def pages(cards: Sequence[Duty], columns: int, room: int = 99, most: int = 3) -> tuple[tuple[Duty, ...], ...]:
    """The cards in pages of at most `most`, and of at most `room` units of height.

    A card takes two units for its head and one for each row of `columns` slots.
    """
    found: list[list[Duty]] = []
    left = 0
    for card in cards:
        needs = 2 + -(-len(card.slots) // columns)
        if not found or len(found[-1]) == most or needs > left:
            found.append([])
            left = room
        found[-1].append(card)
        left -= needs
    return tuple(tuple(page) for page in found)


def outlook(slots: Iterable[Slot], now: datetime, days: int, held: Collection[str] = ()) -> Outlook:
    """What is free today, and next."""
    free = [slot for slot in offered(slots, "", now, days, held) if slot.free]
    today = [slot for slot in free if slot.date == now.date()]
    return Outlook(len(today), any(slot.role == "lawyer" for slot in today), free[0] if free else None)


def is_phone(digits: str) -> bool:
    """Whether it is a mobile number of 11 digits, or a landline with its area code."""
    return bool(_MOBILE.fullmatch(digits) or _LANDLINE.fullmatch(digits))


def masked(digits: str) -> str:
    """A number as it is shown: 138****1234, 0512****678; nothing of what is no number."""
    if _MOBILE.fullmatch(digits):
        return f"{digits[:3]}****{digits[-4:]}"
    landline = _LANDLINE.fullmatch(digits)
    return f"{landline[1]}****{landline[2][-3:]}" if landline else ""


def groups(digits: str) -> list[int]:
    """How the digits of a number are set apart while they are typed."""
    if digits.startswith("0"):
        return [3, 4, 4] if digits.startswith(("01", "02")) else [4, 4, 4]
    return [3, 4, 4]


def expired(slot_date: date, today: date) -> bool:
    """Whether a booking may be forgotten at the station."""
    return today > slot_date + timedelta(days=KEPT_DAYS)


def surely(today: date, rota: Iterable[Slot]) -> date | None:
    """The day that it is at least, or None: a clock may be years ahead, and counts only as far as the rota.

    Headquarters' rota begins no earlier than the day on which it was made.
    """
    begins = min((slot.date for slot in rota), default=None)
    return None if begins is None else min(today, begins)


def _held(slot: Slot) -> Slot:
    return Slot(**{**vars(slot), "free": False})
