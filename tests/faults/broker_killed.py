"""The broker is killed, and its store deleted: nothing of ours may have been only there."""

import shutil
import time
from random import Random

from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town


@fault("broker_killed", least=20, share=1)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """SIGKILL to the broker while stations publish; headquarters starts it again by itself."""
    ends, kills = time.monotonic() + seconds, 0
    store = town.centre.data / "broker" / "store"
    with town.busy():
        while not kills or time.monotonic() < ends:
            time.sleep(rng.uniform(0.2, 2))
            killed = town.centre.kill_broker()
            if killed and rng.random() < 0.5:
                shutil.rmtree(store, ignore_errors=True)
            kills += killed
    return town.settle("kills", kills)
