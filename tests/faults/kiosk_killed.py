"""The kiosk is killed at random moments: while it starts, between a touch and its commit, at rest."""

import time
from random import Random

from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town


@fault("kiosk_killed", least=15, share=2)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """SIGKILL to the screen process, now and then to the whole station."""
    ends, kills = time.monotonic() + seconds, 0
    with town.busy():
        while kills < len(town.stations) or time.monotonic() < ends:
            time.sleep(rng.uniform(0.1, 3.0) / len(town.stations))
            kills += rng.choice(town.stations).kill()
    return town.settle("kills", kills)
