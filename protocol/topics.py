"""The three topics of a station, built and parsed; the rule for station ids.

A station id never contains `+`, `#` or `/`: such ids have bypassed brokers' access lists before.
No organisation is in the topic: unions reorganise, ids stay.
"""

import re
from typing import Literal, NamedTuple

from protocol.errors import TopicError

PREFIX = "yz/1"
Leaf = Literal["up", "down", "state"]

_STATION = re.compile(r"[a-z0-9][a-z0-9-]{1,30}")
_PREFIX = re.compile(r"[a-zA-Z0-9_-]+(/[a-zA-Z0-9_-]+)*")


class Topic(NamedTuple):
    station: str
    leaf: Leaf


def check_station(station: str) -> str:
    """Return the id itself, or raise TopicError with the rule in words."""
    if not _STATION.fullmatch(station):
        raise TopicError(
            f"'{station}' is no station id: use 2 to 31 small letters, digits and hyphens, no hyphen first",
            station=station,
        )
    return station


def check_prefix(prefix: str) -> str:
    """Return the prefix itself, or raise TopicError: letters, digits, `_`, `-`, parted by `/`."""
    if not _PREFIX.fullmatch(prefix):
        raise TopicError(
            f"'{prefix}' is no topic prefix: use letters, digits, _ and -, parted by /", prefix=prefix
        )
    return prefix


def build(station: str, leaf: Leaf, prefix: str = PREFIX) -> str:
    """The topic of one station: `yz/1/{station}/{leaf}`."""
    return f"{prefix}/{check_station(station)}/{leaf}"


def every(leaf: Leaf, prefix: str = PREFIX) -> str:
    """The subscription that covers this leaf of every station."""
    return f"{prefix}/+/{leaf}"


def parse(topic: str, prefix: str = PREFIX) -> Topic:
    """Split a topic into station and leaf, or raise TopicError."""
    head, _, rest = topic.removeprefix(prefix + "/").partition("/")
    if not topic.startswith(prefix + "/") or rest not in ("up", "down", "state"):
        raise TopicError(f"'{topic}' is not one of our topics", topic=topic)
    return Topic(check_station(head), rest)  # type: ignore[arg-type]
