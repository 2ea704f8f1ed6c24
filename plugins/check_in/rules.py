"""Who counts as a visit: codes, people, the re-entry window. No clock, no database, no screen of its own."""

import hashlib
import re
from dataclasses import dataclass, field
from typing import Final

TRADES: Final = ("delivery", "courier", "sanitation", "trucker", "ride_hailing", "other")
UNSAID: Final = "unsaid"

#: A member code as scanners read it: 6 to 32 letters, digits or hyphens, perhaps behind a word and a colon.
_CODE = re.compile(r"(?:[A-Za-z][A-Za-z0-9]{0,11}:)?([0-9A-Za-z-]{6,32})")
_MINUTE_MS: Final = 60_000


@dataclass(frozen=True)
class Code:
    """A member code in one spelling, and how it came: `card` or `code`."""

    text: str
    method: str


@dataclass(frozen=True)
class Moment:
    """A point in time: wall clock in ms since 1970; `up_ms` since the machine started, None if unknown."""

    wall_ms: int
    up_ms: int | None = None


@dataclass
class Day:
    """What a station knows of one day. `people` are keyed hashes; `key` is thrown away with the day."""

    day: str
    key: bytes
    visits: int = 0
    people: dict[bytes, Moment] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """Whether a check-in counts. `first_today` is None without a code; `since` is the visit that counted."""

    counts: bool
    first_today: bool | None = None
    since: Moment | None = None


def read_code(raw: str, card_digits: int) -> Code | None:
    """The member code in what a reader or a finger gave, or None.

    A card is told from a printed code by its reader: it types just `card_digits` digits (0: no reader).
    """
    found = _CODE.fullmatch(raw.strip())
    if found is None:
        return None
    text = found[1].upper()
    return Code(text, "card" if text.isdigit() and len(text) == card_digits else "code")


def person(code: Code, key: bytes) -> bytes:
    """The person behind a code, for one day: a keyed hash, worthless once the key is gone."""
    return hashlib.blake2b(code.text.encode(), key=key, digest_size=16).digest()


def inside(since: Moment, now: Moment, minutes: int) -> bool:
    """Whether `now` is less than `minutes` after `since`.

    The machine's own clock decides where both moments have it, because wall clocks get corrected. A wall
    clock that went back says nothing, so the answer is then yes: better one visit missed than one twice.
    """
    if since.up_ms is not None and now.up_ms is not None and since.up_ms <= now.up_ms:
        return now.up_ms - since.up_ms < minutes * _MINUTE_MS
    return now.wall_ms - since.wall_ms < minutes * _MINUTE_MS


def judge(since: Moment | None, now: Moment, minutes: int) -> Verdict:
    """Whether a check-in counts, given the last one of the same person (or the same session) that did."""
    if since is None:
        return Verdict(counts=True)
    if inside(since, now, minutes):
        return Verdict(counts=False, since=since)
    return Verdict(counts=True, since=since)


def judge_person(day: Day, code: Code, now: Moment, minutes: int) -> Verdict:
    """`judge` for a person with a code, and whether it is their first visit of the day."""
    since = day.people.get(person(code, day.key))
    verdict = judge(since, now, minutes)
    return Verdict(verdict.counts, since is None, verdict.since)


def anchor(since: Moment, now: Moment) -> Moment:
    """The moment to measure from next time: after the wall clock went back, it is now.

    So a clock that was years ahead shuts nobody out for longer than one window.
    """
    back = since.up_ms is None and now.wall_ms < since.wall_ms
    return now if back else since


def next_step(misread: bool, verdict: Verdict, trade: str) -> str:
    """What the screen does with a visitor: `misread`, `again`, `sign` (the trade is known) or `ask`."""
    if misread:
        return "misread"
    if not verdict.counts:
        return "again"
    return "sign" if trade else "ask"
