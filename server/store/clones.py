"""Which two machines were heard to speak as one station, kept as data: others say it in words."""

from collections.abc import Iterable
from typing import Final

import msgspec

SHORT: Final = 6  # letters of a run that people compare


class Machine(msgspec.Struct, frozen=True, array_like=True):
    """The run of a machine's program, empty of a release that names none, and when it was last heard (ms)."""

    stream: str
    run: str
    boot: str
    heard: int

    @property
    def short(self) -> str:
        """What people tell it by; a station's own screen shows the same letters of its run."""
        return (self.run or self.boot)[:SHORT] or "?"


def written(machines: Iterable[Machine]) -> str:
    """Two machines as the text that a refusal keeps; shorter than the room there."""
    return msgspec.json.encode(list(machines)).decode()


def read(problem: str) -> tuple[Machine, ...]:
    """The two machines in a refusal's text; nothing if it is another text."""
    try:
        return msgspec.json.decode(problem, type=tuple[Machine, Machine])
    except msgspec.DecodeError:
        return ()
