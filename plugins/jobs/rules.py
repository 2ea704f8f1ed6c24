"""Job posts: which are open, which fit, in what order. No screen, no clock, no database of its own."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

Item = TypeVar("Item")

#: For each letter of a text the ways to say it, an empty tuple where one word ends and another begins.
Sounds = tuple[tuple[str, ...], ...]

#: Trades of visitors that are trades of posts as well; "other" work says nothing about what is wanted.
VISITOR_TRADES: Final = ("delivery", "courier", "sanitation", "trucker", "ride_hailing")

_NUMBER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")

#: Beginnings of a syllable that people type as two letters.
_DOUBLE: Final = ("zh", "ch", "sh")


@dataclass(frozen=True)
class Post:
    """One job. Pay is in yuan a month, 0 where it is not said; it is open up to and with `expires`."""

    job_id: str
    title: str
    company: str
    trade: str
    area: str
    posted: date
    expires: date
    pay_min: int = 0
    pay_max: int = 0
    shift: str = ""
    kind: str = ""
    phone: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Query:
    """What the visitor wants; an empty part asks for nothing. `words` are characters or pinyin letters."""

    trade: str = ""
    area: str = ""
    words: str = ""


@dataclass(frozen=True)
class Choice:
    """One value to filter by and how many posts it would show; an empty value means all."""

    value: str
    count: int


@dataclass(frozen=True)
class Phrase:
    """A sentence to be said: its key in strings/ and the values that fill it."""

    key: str
    values: Mapping[str, object]


def read(row: Mapping[str, object]) -> Post | None:
    """The post in a row of the replica; None if it lacks a number, a title or a date that can be read."""

    def text(name: str) -> str:
        return str(row.get(name) or "").strip()

    def number(name: str) -> int:
        value = row.get(name)
        return value if isinstance(value, int) and value > 0 else 0

    try:
        posted, expires = date.fromisoformat(text("posted")), date.fromisoformat(text("expires"))
    except ValueError:
        return None
    if not (_NUMBER.fullmatch(text("job_id")) and text("title")):
        return None
    low, high = number("pay_min"), number("pay_max")
    return Post(
        job_id=text("job_id"),
        title=text("title"),
        company=text("company"),
        trade=text("trade"),
        area=text("area"),
        posted=posted,
        expires=expires,
        pay_min=min(low, high) if low and high else low or high,
        pay_max=max(low, high),
        shift=text("shift"),
        kind=text("kind"),
        phone=text("phone"),
        detail=text("detail"),
    )


def current(posts: Iterable[Post], today: date) -> tuple[Post, ...]:
    """The posts that are open today, newest first; posts of one day keep the order of their numbers."""
    still_open = [post for post in posts if post.expires >= today]
    return tuple(sorted(still_open, key=lambda post: (-post.posted.toordinal(), post.job_id)))


def new_today(posts: Iterable[Post], today: date) -> int:
    """How many of the posts came today."""
    return sum(post.posted == today for post in posts)


def sounds(text: str) -> Sounds:
    """How to say each letter of a text, all readings of each; the first call takes 0.6 s to load pypinyin."""
    from pypinyin import Style, pinyin

    found: list[tuple[str, ...]] = []
    for word in text.split():
        letters = "".join(letter for letter in word if letter.isalnum())
        for readings in pinyin(letters, style=Style.NORMAL, heteronym=True):
            plain = [reading.lower() for reading in readings]
            found.append(tuple(dict.fromkeys([*plain, *(each.replace("v", "u") for each in plain)])))
        found.append(())
    return tuple(found)


def index(posts: Iterable[Post]) -> dict[str, Sounds]:
    """How to say the searched text of every post, by its number: built aside, because it takes time."""
    return {post.job_id: sounds(searched_text(post)) for post in posts}


def searched_text(post: Post) -> str:
    """What a search looks at."""
    return f"{post.title} {post.company} {post.area}"


def sounds_like(letters: str, said: Sounds) -> bool:
    """Whether the letters begin anywhere in what is said: initials, whole syllables, or both mixed.

    `sj`, `siji` and `sij` all find 司机. The last syllable may be unfinished, no word may be skipped.
    """
    first = letters[:1]
    for start, readings in enumerate(said):
        # Most places end here, which keeps a search among thousands of posts within a moment.
        for reading in readings:
            if reading.startswith(first):
                if _follows(letters, said, start):
                    return True
                break
    return False


def _follows(letters: str, said: Sounds, start: int) -> bool:
    reached = {0}
    for readings in said[start:]:
        further: set[int] = set()
        for at in reached:
            rest = letters[at:]
            for reading in readings:
                if reading.startswith(rest):
                    return True
                for part in (reading, reading[0], reading[:2] if reading[:2] in _DOUBLE else reading[0]):
                    if rest.startswith(part):
                        further.add(at + len(part))
        if not further:
            return False
        if len(letters) in further:
            return True
        reached = further
    return False


def fits(post: Post, query: Query, said: Sounds | None) -> bool:
    """Whether a post is what the query asks for. Without `said` letters match only what is written."""
    if (query.trade and post.trade != query.trade) or (query.area and post.area != query.area):
        return False
    written = _plain(searched_text(post))
    for word in _plain(query.words).split():
        by_sound = said is not None and word.isascii() and sounds_like(word, said)
        if word not in written and not by_sound:
            return False
    return True


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def search(posts: Iterable[Post], query: Query, said: Mapping[str, Sounds]) -> tuple[Post, ...]:
    """The posts that fit, in the order in which they came."""
    return tuple(post for post in posts if fits(post, query, said.get(post.job_id)))


def choices(values: Iterable[str]) -> tuple[Choice, ...]:
    """What there is to filter by: all first, then the most frequent values."""
    counted = Counter(value for value in values if value)
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return (Choice("", counted.total()), *(Choice(value, count) for value, count in ranked))


def first_query(trade: str, posts: Iterable[Post]) -> Query:
    """What to show first to a visitor of this trade (perhaps unsaid): its posts, if there are any."""
    wanted = trade in VISITOR_TRADES and any(post.trade == trade for post in posts)
    return Query(trade=trade if wanted else "")


def pages(count: int, size: int) -> int:
    """How many pages `count` things need; an empty list has one page too."""
    return max(1, math.ceil(count / size))


def page(items: Sequence[Item], number: int, size: int) -> Sequence[Item]:
    """Page `number` (from 0, kept within the pages there are) of the items."""
    last = pages(len(items), size) - 1
    start = min(max(number, 0), last) * size
    return items[start : start + size]


def pay(post: Post) -> Phrase:
    """What the job pays, as far as it is said."""
    if not post.pay_max:
        return Phrase("pay_unsaid", {})
    if post.pay_min in (0, post.pay_max):
        return Phrase("pay_exact", {"pay": post.pay_max})
    return Phrase("pay_range", {"low": post.pay_min, "high": post.pay_max})


def where(post: Post) -> list[str]:
    """Who it is for and where, the place only if the company's name does not say it already."""
    return [part for part in (post.company, "" if post.area in post.company else post.area) if part]


def age(post: Post, today: date) -> Phrase:
    """How long ago the post came; a date where days are many or the clock disagrees."""
    days = (today - post.posted).days
    if days in (0, 1):
        return Phrase("posted_yesterday" if days else "posted_today", {})
    if 1 < days <= 30:
        return Phrase("posted_days", {"n": days})
    return Phrase("posted_on", {"month": post.posted.month, "day": post.posted.day})
