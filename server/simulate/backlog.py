"""What a station has to say after days without a line: made up, of the kinds and pace of a real one."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import msgspec

from protocol import messages
from protocol.frame import FRAME_BYTES, FRAME_MESSAGES
from protocol.messages import Event, Heartbeat, Up, Value

HOURS: Final = 72
MESSAGES: Final = 1500  # of a station in these hours: 864 heartbeats, and 212 uses of the screen a day
HEARTBEAT_MS: Final = 5 * 60 * 1000
VARIETY: Final = 16  # different backlogs; stations share them, or making them would cost more than sending

_SPACING_MS: Final = HOURS * 3600 * 1000 // MESSAGES
#: Touches in each hour of the local day, in parts: nobody at night, most around noon and in the evening.
_HOURLY: Final = (1, 1, 1, 1, 1, 4, 9, 14, 12, 10, 12, 22, 24, 18, 14, 12, 12, 14, 18, 16, 10, 6, 3, 2)
_LOCAL_MS: Final = 8 * 3600 * 1000  # Asia/Shanghai
_TRADES: Final = ("delivery", "courier", "sanitation", "trucker", "ride_hailing", "other", "unsaid")


@dataclass(frozen=True)
class Backlog:
    """Encoded messages, oldest first, the last one a heartbeat; `begins` (wall ms) is before all of them."""

    bodies: Sequence[bytes]
    begins: int

    def cut(self, skip: int, alone: bool = False) -> list[msgspec.Raw]:
        """The messages of one frame after the first `skip`: as many as a station puts in, or one alone."""
        found: list[msgspec.Raw] = []
        size = 0
        for body in self.bodies[skip : skip + (1 if alone else FRAME_MESSAGES)]:
            size += len(body) + 1
            if found and size > FRAME_BYTES:
                break
            found.append(msgspec.Raw(body))
        return found

    @cached_property
    def texts(self) -> list[str]:
        """The messages as headquarters stores them."""
        return [body.decode() for body in self.bodies]

    @cached_property
    def events(self) -> Counter[tuple[str, str]]:
        """How many events of each plugin and name it holds."""
        decoded = map(messages.decode, self.bodies)
        return Counter((each.plugin, each.name) for each in decoded if isinstance(each, Event))


def make(rng: random.Random, count: int, until: int) -> Backlog:
    """A backlog of `count` messages that ends at `until` (wall ms), as long ago as a station takes for it.

    A heartbeat every five minutes; between them visits as the screen reports them: a service is opened, used
    and closed, more by day than by night; now and then an item is played.
    """
    begins = until - count * _SPACING_MS
    beats = max(1, min(count, count * _SPACING_MS // HEARTBEAT_MS))
    said: list[Up] = [
        Heartbeat(
            at=until - n * HEARTBEAT_MS,
            up=monotonic(until - n * HEARTBEAT_MS, begins),
            version="0.1.0",
            health=_health(n),
        )
        for n in range(beats)
    ]
    while len(said) < count:
        said += _visit(rng, begins, until)[: count - len(said)]
    said.sort(key=lambda message: message.at)
    return Backlog([messages.encode(each) for each in said], begins)


def monotonic(wall: int, begins: int) -> int:
    """What the station's monotonic clock (ms) shows then: the machine was started an hour before `begins`."""
    return wall - begins + 3_600_000


def _visit(rng: random.Random, begins: int, until: int) -> list[Up]:
    """The events of one visitor."""
    at, session = _moment(rng, begins, until), f"{rng.getrandbits(64):016x}"
    plugin, used = _use(rng)
    said: list[tuple[int, str, str, dict[str, Value]]] = []
    if plugin == "broadcast":
        return [_event(at, begins, plugin, *used[0], session="")]
    said.append((at, plugin, "opened", {}))
    for name, d in used:
        at += rng.randrange(1_500, 20_000)
        said.append((at, plugin, name, d))
    stayed = at - said[0][0] + rng.randrange(800, 30_000)
    how = rng.choice(("finished", "finished", "left", "idle"))
    said.append((said[0][0] + stayed, plugin, "closed", {"how": how, "after": stayed}))
    return [_event(min(at, until - 1), begins, plugin, name, d, session) for at, plugin, name, d in said]


def _event(at: int, begins: int, plugin: str, name: str, d: dict[str, Value], session: str) -> Event:
    return Event(at=at, up=monotonic(at, begins), plugin=plugin, name=name, d=d, session=session)


def _use(rng: random.Random) -> tuple[str, list[tuple[str, dict[str, Value]]]]:
    """A plugin, and what somebody did there."""
    chance = rng.random()
    if chance < 0.45:
        trade, method = rng.choice(_TRADES), rng.choice(("tap", "tap", "tap", "card", "code"))
        visit: dict[str, Value] = {"trade": trade, "method": method, "first_today": rng.random() < 0.7}
        return "check_in", [("checked_in", visit)]
    if chance < 0.65:
        return "hello", [
            ("asked", {"what": rng.choice(("hot_water", "charging", "rules", "toilet", "rest"))})
        ]
    if chance < 0.8:
        searched: list[tuple[str, dict[str, Value]]] = [("searched", {"hits": rng.randrange(40)})]
        searched += [("viewed", {"job": f"job-{rng.randrange(400):04d}"}) for _ in range(rng.randrange(4))]
        return "jobs", searched
    if chance < 0.85:
        return "legal_aid", [("asked", {"matter": rng.choice(("wages", "injury", "contract", "rent"))})]
    kind = rng.choice(("news", "story", "policy", "song", "topic"))
    item = f"item-{rng.randrange(60):03d}"
    heard: dict[str, Value] = {
        "item": item,
        "kind": kind,
        "complete": True,
        "after": rng.randrange(60_000, 600_000),
    }
    return "broadcast", [("played", heard)]


def _moment(rng: random.Random, begins: int, until: int) -> int:
    """A wall time at which somebody touches the screen."""
    while True:
        at = rng.randrange(begins, until)
        hour = (at + _LOCAL_MS) // 3_600_000 % 24
        if rng.randrange(max(_HOURLY)) < _HOURLY[hour] or until - begins < 24 * 3_600_000:
            return at


def _health(n: int) -> dict[str, Value]:
    return {
        "plugins": 5,
        "failed": 0,
        "refused": 0,
        "waiting": n,
        "not_stored": 0,
        "damaged": False,
        "safe_mode": False,
        "running_s": 90_000,
    }
