"""The rows of the fault matrix: each is a function in a file of its own name, found here by that name.

A fault file looks like this:

    @fault("kiosk_killed", share=2)
    def run(town: Town, seconds: float, rng: Random) -> Report:
        '''SIGKILL to the screen process at random moments.'''
        ends, kills = time.monotonic() + seconds, 0
        with town.busy():                                   # visitors use every station meanwhile
            while not kills or time.monotonic() < ends:     # once at least, however short the time is
                time.sleep(rng.uniform(0.2, 2))
                kills += rng.choice(town.stations).kill()
        return town.settle("kills", kills)                  # heal, drain, and compare all accounts

`seconds` may be 0: inject once, in the shortest way that still means something. A town is shared among the
rows, so leave it as you found it; a row that damages disks for good, or needs its own options, says
`own=Setting(stations=1, arguments=("--outbox-limit=200",))` and gets a town of its own. Raise `Skipped` with
a reason where this machine does not allow a fault; it is reported, and not as passed.
"""

import importlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tests.faults.report import Report

if TYPE_CHECKING:
    from tests.faults.town import Town

Run = Callable[["Town", float, random.Random], Report]

#: In the order in which they run.
MATRIX: Final = (
    "kiosk_killed",
    "bad_line",
    "broker_killed",
    "broker_overflows",
    "collector_killed",
    "server_locked",
    "malformed_frames",
    "clock_wrong",
    "broker_away",
    "versions_mixed",
    "mqtt_thread_dies",
    "plugin_hostile",
    "server_restored",
    "storm",
    "power_lost",
    "database_damaged",
    "station_disk_full",
    "server_disk_full",
    "disk_cloned",
    "fleet_returns",
)


class Skipped(Exception):
    """This machine does not allow the fault; the sentence says why."""


@dataclass(frozen=True)
class Setting:
    """What a town of its own is made of. `arguments` go to each kiosk, `plugins` are folders of theirs."""

    stations: int = 2
    arguments: tuple[str, ...] = ()
    plugins: tuple[Path, ...] = ()
    #: Seconds between heartbeats.
    heartbeat: float = 3.0
    #: Bytes of a disk of its own for headquarters; 0: none.
    headquarters_disk: int = 0


@dataclass(frozen=True)
class Fault:
    """One row. `least` seconds it needs in a long run; what is over is shared among all by `share`."""

    name: str
    run: Run
    least: float = 5.0
    share: float = 0.0
    own: Setting | None = None
    #: Whether it is so short that every test run injects it.
    short: bool = True


_known: Final[dict[str, Fault]] = {}


def fault(
    name: str, *, least: float = 5.0, share: float = 0.0, own: Setting | None = None, short: bool = True
) -> Callable[[Run], Run]:
    """Register a row of the matrix."""

    def register(run: Run) -> Run:
        _known[name] = Fault(name, run, least, share, own, short)
        return run

    return register


def load() -> Mapping[str, Fault]:
    """All rows that are there, in the order of the matrix."""
    folder = Path(__file__).parent
    for name in MATRIX:
        if (folder / f"{name}.py").exists():
            importlib.import_module(f"tests.faults.{name}")
    return {name: _known[name] for name in MATRIX if name in _known}


@dataclass
class Shares:
    """How a long run's time is divided."""

    seconds: float
    faults: list[Fault] = field(default_factory=list)

    def of(self, fault: Fault) -> float:
        """Seconds for one row: what it needs, and its share of the rest; 0 if there is no time at all."""
        if not self.seconds:
            return 0.0
        rest = max(0.0, self.seconds - sum(each.least for each in self.faults))
        shares = sum(each.share for each in self.faults)
        return fault.least + (rest * fault.share / shares if shares else 0.0)
