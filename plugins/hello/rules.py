"""What a station offers and when: pure rules, no screen, no clock, no database."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from typing import Final

#: The facilities that have an icon and a sentence of their own, with the words headquarters writes for them.
FACILITIES: Final[dict[str, tuple[str, ...]]] = {
    "hot_water": ("热水", "饮水", "开水"),
    "microwave": ("微波炉", "热饭"),
    "charging": ("充电", "手机充电", "换电"),
    "medicine": ("药箱", "急救箱", "医药箱"),
    "umbrella": ("借伞", "雨伞"),
    "wifi": ("无线网", "无线网络", "免费上网"),
    "rest": ("休息", "座位", "歇脚"),
    "toilet": ("厕所", "卫生间", "洗手间"),
    "shower": ("淋浴", "洗澡"),
    "cooling": ("空调", "纳凉", "避暑"),
    "heating": ("取暖", "暖气"),
    "books": ("图书", "看书", "书报"),
    "tools": ("工具", "打气筒", "针线"),
}
OTHER: Final = "other"

_HOURS = re.compile(r"(\d{1,2}):(\d\d)\s*[-–—~～至到]\s*(\d{1,2}):(\d\d)")


@dataclass(frozen=True)
class Facility:
    """One thing the station offers. `id` is a key of FACILITIES or `other`; `written` is as it was given."""

    id: str
    written: str


def facilities(written: Iterable[str]) -> tuple[Facility, ...]:
    """The facilities of a profile in its order, each once; words that nobody foresaw stay as written."""
    found: dict[str, Facility] = {}
    for word in written:
        bare = word.strip()
        named = bare.lower().replace("-", "_").replace(" ", "_")
        known = next((id for id, words in FACILITIES.items() if named == id or bare in words), OTHER)
        if bare:
            found.setdefault(bare if known == OTHER else known, Facility(known, bare))
    return tuple(found.values())


def most_asked(offered: Sequence[Facility], asked: Mapping[str, int], n: int) -> tuple[Facility, ...]:
    """At most `n` of what is offered: those that visitors of this station ask for most, in profile order."""
    ranked = sorted(range(len(offered)), key=lambda i: (-asked.get(offered[i].id, 0), i))
    return tuple(offered[i] for i in sorted(ranked[:n]))


def is_open(hours: str, now: time) -> bool | None:
    """Whether the station is open at `now`; None if the hours name no span of time.

    Several spans may be given. A span that ends before it begins goes past midnight; equal ends mean
    all day, as does 24:00.
    """
    spans = [[int(part) for part in span] for span in _HOURS.findall(hours)]
    if not spans:
        return None
    minute = now.hour * 60 + now.minute
    for from_hour, from_minute, to_hour, to_minute in spans:
        begin, end = from_hour * 60 + from_minute, to_hour * 60 + to_minute
        if begin == end or (begin <= minute < end) or (end < begin and (minute >= begin or minute < end)):
            return True
    return False


def house_rules(written: str, usual: Sequence[str]) -> tuple[str, ...]:
    """The house rules: those written for this station, divided by semicolons, or else the usual ones."""
    own = tuple(rule.strip() for rule in re.split(r"[;；\n]", written) if rule.strip())
    return own or tuple(usual)
