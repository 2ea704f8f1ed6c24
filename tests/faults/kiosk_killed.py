"""The kiosk is killed at random moments: while it starts, between a touch and its commit, at rest."""

import time
from concurrent.futures import ThreadPoolExecutor
from random import Random

from tests.faults.booth import Booth
from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town


@fault("kiosk_killed", least=15, share=2)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """SIGKILL to the screen process, now and then to the whole station."""
    ends = time.monotonic() + seconds
    with town.busy(), ThreadPoolExecutor(len(town.stations)) as pool:
        killers = [pool.submit(kill_again, booth, ends, Random(rng.random())) for booth in town.stations]
    return town.settle("kills", sum(each.result() for each in killers))


def kill_again(booth: Booth, ends: float, rng: Random) -> int:
    """Kill one station until the time (monotonic, s) is over, once at least; how often."""
    kills = 0
    while not kills or time.monotonic() < ends:
        kills += booth.kill_at_random(rng)
    return kills
