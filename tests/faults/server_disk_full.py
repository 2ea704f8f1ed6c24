"""Headquarters' disk is full: no ack is given, the pages say so, and it recovers alone once there is room."""

import time
from random import Random
from typing import Final

from tests.faults import small_disk
from tests.faults.registry import Setting, fault
from tests.faults.report import Report
from tests.faults.server_locked import stale, well
from tests.faults.town import Town

SIZE: Final = 64 << 20  # bytes
FULL: Final = 5.0  # s


@fault("server_disk_full", least=20, share=0.2, own=Setting(stations=1, headquarters_disk=SIZE))
def run(town: Town, seconds: float, rng: Random) -> Report:
    """Fill the disk to the last byte, run on, make room; now and then headquarters dies meanwhile."""
    ends, filled = time.monotonic() + seconds, 0
    problems: list[str] = []
    with town.busy():
        while not filled or time.monotonic() < ends:
            time.sleep(rng.uniform(0.5, 2))
            small_disk.fill(town.centre.data)
            problems += stale(town, FULL + rng.uniform(0, 3))
            died = filled % 3 == 2
            if died:
                town.centre.kill()
            small_disk.free(town.centre.data)
            if died:
                town.centre.ensure()
            problems += well(town)
            filled += 1
    return town.settle("fillings", filled, problems=sorted(set(problems)))
