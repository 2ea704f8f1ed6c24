"""More reaches the broker than it can hold for a collector that does not read: it drops it."""

import os
import signal
import time
from random import Random
from typing import Final

from protocol.frame import MAX_WIRE
from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town
from tests.faults.voice import Voice, claimed

LIMIT: Final = 30.0  # s until the broker must have given the collector up
CUT: Final = "Slow Consumer"  # the broker's words


@fault("broker_overflows", least=15, share=0.3)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """Stop the collector, flood the broker until it gives up, let the collector go on."""
    ends, drops = time.monotonic() + seconds, 0
    name = f"flood-{rng.randrange(16**6):06x}"
    loud = claimed(town.centre, name, town.folder / name)
    with town.busy():
        while not drops or time.monotonic() < ends:
            found = _flood(town, Voice(loud, town.centre.mqtt))
            if not found:
                break
            drops += found
            time.sleep(rng.uniform(1, 3))
    return town.settle("drops", drops)


def _flood(town: Town, voice: Voice) -> int:
    """How often the broker has cut the collector off, with all that it held for it."""
    before, pid = _cuts(town), town.centre.pid
    assert pid is not None
    noise = os.urandom(MAX_WIRE // 2)
    with voice:
        os.kill(pid, signal.SIGSTOP)
        try:
            ends = time.monotonic() + LIMIT
            while _cuts(town) == before and time.monotonic() < ends:
                for _ in range(20):
                    voice.publish(noise)
        finally:
            os.kill(pid, signal.SIGCONT)
    return _cuts(town) - before


def _cuts(town: Town) -> int:
    log = town.centre.data / "broker" / "nats.log"
    return log.read_text(encoding="utf-8", errors="replace").count(CUT)
