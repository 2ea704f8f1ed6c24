"""The ladder after deaths of the screen process: pure rules, times handed in, in seconds."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from kiosk.quarantine import Culprit

WINDOW: Final = 600.0  # s; older deaths are forgotten
STRIKES: Final = 3  # deaths with the same plugin and version until it is put in quarantine
SAFE_AFTER: Final = 5  # deaths until only essential plugins are loaded
CALL_AFTER: Final = 8  # deaths until the screen only asks to call somebody
STOP_AFTER: Final = 3  # deaths of that plain screen until nothing is started any more


@dataclass(frozen=True)
class Plan:
    """How the next screen process is to be started; `stop`: not at all."""

    safe_mode: bool = False
    please_call: bool = False
    stop: bool = False


@dataclass
class Ladder:
    """Restart, then quarantine of the named plugin, then safe mode, then a plain screen, then nothing.

    `quarantined` is kept by the caller beyond the end of this process. A step up is never taken back here:
    the next start of the machine begins at the bottom, but with the quarantine.
    """

    quarantined: list[Culprit] = field(default_factory=list)
    plan: Plan = Plan()
    _deaths: list[float] = field(default_factory=list)
    _strikes: list[tuple[float, Culprit]] = field(default_factory=list)

    def died(self, now: float, culprits: Iterable[Culprit] = ()) -> Plan:
        """The screen process has died, with these plugins on stage; how to go on."""
        self._deaths = [each for each in self._deaths if now - each < WINDOW] + [now]
        self._strikes = [each for each in self._strikes if now - each[0] < WINDOW]
        if self.plan.please_call:
            if len(self._deaths) >= STOP_AFTER:
                self.plan = Plan(please_call=True, stop=True)
            return self.plan
        caught = False
        for culprit in culprits:
            self._strikes.append((now, culprit))
            same = [each for _, each in self._strikes if _name(each) == _name(culprit)]
            if len(same) >= STRIKES and not any(_name(each) == _name(culprit) for each in self.quarantined):
                self.quarantined.append(culprit)
                caught = True
        if caught:
            # The cause is out of the way: what it did counts no further.
            self._deaths.clear()
        elif len(self._deaths) >= CALL_AFTER:
            self.plan = Plan(please_call=True)
            self._deaths.clear()
        elif len(self._deaths) >= SAFE_AFTER:
            self.plan = Plan(safe_mode=True)
        return self.plan


def _name(culprit: Culprit) -> tuple[str, str]:
    return culprit.plugin, culprit.version
