"""The collector dies at named places: before a commit, after it, in the middle of a batch, around an ack."""

import itertools
import signal
import subprocess
import time
from random import Random
from typing import Final

from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town

PLACES: Final = ("before_commit", "after_commit", "before_ack", "after_ack", "mid_batch")
LIMIT: Final = 60.0  # s in which a place must have been reached
SHORT: Final = 2  # places of a short run


@fault("collector_killed", least=30, share=3)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """Each place in turn, in random order, at the first to the fifth time it is reached.

    With time, also in a second collector that works on the same database beside headquarters.
    """
    ends, kills = time.monotonic() + seconds, 0
    problems: list[str] = []
    places = rng.sample(PLACES, len(PLACES))
    with town.busy():
        town.centre.kill()
        for place in itertools.cycle(places):
            if kills >= (len(PLACES) if seconds else SHORT) and time.monotonic() >= ends:
                break
            crash = {"YIZHAN_CRASH": f"{place}:{rng.randint(1, 5)}"}
            die = _beside if kills >= len(PLACES) and rng.random() < 0.5 else _alone
            if not die(town, crash):
                problems.append(f"{place} was not reached within {LIMIT:.0f} s")
                break
            kills += 1
    return town.settle("kills", kills, problems=problems)


def _alone(town: Town, crash: dict[str, str]) -> bool:
    """Whether headquarters has come to its place, and its end."""
    town.centre.environment = crash
    ends = time.monotonic() + LIMIT
    while time.monotonic() < ends:
        town.centre.start()  # again, if it ended by itself because the port was not free yet
        while town.centre.alive and time.monotonic() < ends:
            time.sleep(0.05)
        if town.centre.ended_by == signal.SIGKILL:
            return True
        time.sleep(0.25)
    town.centre.kill()
    return False


def _beside(town: Town, crash: dict[str, str]) -> bool:
    """Whether a collector beside headquarters has, which goes on."""
    town.centre.environment = {}
    town.centre.ensure()
    process = town.centre.start_beside(crash)
    try:
        return process.wait(LIMIT) == -signal.SIGKILL
    except subprocess.TimeoutExpired:
        return False
    finally:
        process.kill()
        process.wait()
