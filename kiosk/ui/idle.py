"""When a visitor is taken to have gone: a clock-free rule, asked each second."""

from dataclasses import dataclass
from enum import Enum


class Mood(Enum):
    """What the screen does about the silence."""

    AWAKE = "awake"
    COUNTDOWN = "countdown"
    ENDED = "ended"
    ASLEEP = "asleep"


@dataclass
class Idle:
    """Times in seconds. `used` is true from the first touch of a session until its end.

    Nobody is asked whether they are still there when there is nothing to wipe.
    """

    idle_seconds: float
    countdown_seconds: float
    touched_at: float = 0.0
    used: bool = False
    asleep: bool = False

    def touch(self, now: float) -> bool:
        """Somebody touches; True if this touch only wakes the screen and presses nothing."""
        woke, self.asleep = self.asleep, False
        self.touched_at = now
        self.used = self.used or not woke
        return woke

    def restart(self, now: float) -> None:
        """A session has ended: nothing is to be wiped."""
        self.touched_at, self.used = now, False

    def mood(self, now: float) -> Mood:
        """What to do now; ENDED is said until `restart`, ASLEEP until the next touch."""
        if self.asleep:
            return Mood.ASLEEP
        silent = now - self.touched_at - self.idle_seconds
        if silent < 0:
            return Mood.AWAKE
        if not self.used:
            self.asleep = True
            return Mood.ASLEEP
        return Mood.COUNTDOWN if silent < self.countdown_seconds else Mood.ENDED

    def left(self, now: float) -> int:
        """Whole seconds of the countdown that are left, at least 1."""
        return max(1, round(self.touched_at + self.idle_seconds + self.countdown_seconds - now + 0.499))
