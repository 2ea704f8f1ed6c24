"""What can be wrong with headquarters, one small check each. Nothing here changes or disturbs it."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from protocol.finding import Check, Finding
from server.doctor import broker, database, files, intake, numbers, stations
from server.doctor.visit import Visit, is_headquarters, sayings

__all__ = ["CHECKS", "Visit", "checks", "is_headquarters", "sayings"]

#: By subject, in the order of the list.
CHECKS: Final[dict[str, Callable[[Visit], Iterable[Finding]]]] = {
    "database": database.database,
    "release": database.release,
    "log": database.log,
    "lock": database.lock,
    "broker": broker.broker,
    "intake": intake.intake,
    "requests": intake.requests,
    "refusals": intake.refusals,
    "stations": stations.stations,
    "clones": stations.clones,
    "gaps": stations.gaps,
    "numbers": numbers.numbers,
    "access": files.access,
    "plugins": files.plugins,
    "charts": files.charts,
    "backup": files.backup,
}


def checks(visit: Visit) -> dict[str, Check]:
    """Every check of this headquarters, by subject."""
    return {subject: partial(check, visit) for subject, check in CHECKS.items()}
