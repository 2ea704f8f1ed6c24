"""What can be wrong with a station, one small check each. Nothing here changes or disturbs the station."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from kiosk.doctor import line, machine, plugins, screen, sound, store
from kiosk.doctor.visit import Visit
from protocol.finding import Check, Finding

#: By subject, in the order of the list.
CHECKS: Final[dict[str, Callable[[Visit], Iterable[Finding]]]] = {
    "database": store.database,
    "outbox": store.outbox,
    "run": store.run,
    "disk": lambda visit: machine.disk(visit.data, visit.say),
    "clock": lambda visit: machine.clock(visit.say, visit.zone, visit.wall),
    "credentials": line.credentials,
    "headquarters": line.headquarters,
    "broker": line.broker,
    "fonts": screen.fonts,
    "screen": screen.window,
    "sound": sound.sound,
    "speech": sound.speech,
    "plugins": plugins.plugins,
}


def checks(visit: Visit) -> dict[str, Check]:
    """Every check of this station, by subject."""
    return {subject: partial(check, visit) for subject, check in CHECKS.items()}
