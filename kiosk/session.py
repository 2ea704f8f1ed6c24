"""One visitor at the screen, from the first touch to the end; nothing of it outlives the end."""

import secrets
from dataclasses import dataclass, field
from typing import Literal

from kiosk.clock import Clock

Language = Literal["zh", "en"]


@dataclass
class Session:
    """`started` is the monotonic clock in seconds; `facts` are what the visitor has said, such as "trade"."""

    id: str
    started: float
    facts: dict[str, str] = field(default_factory=dict)
    language: Language = "zh"
    large_text: bool = False

    @classmethod
    def fresh(cls, clock: Clock) -> "Session":
        """A session of somebody of whom nothing is known; its id is random and says nothing."""
        return cls(secrets.token_hex(8), clock.monotonic_ms() / 1000)
