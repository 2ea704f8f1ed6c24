"""A bad line: frames and acks get lost, late, doubled, overtaken; connections are cut, stall, or half die."""

import time
from random import Random
from typing import Final

from tests.faults.proxy import CALM, Weather
from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town

PHASE: Final = 4.0  # s of one weather
KEEPALIVE: Final = 30.0  # s; the station's
WEATHERS: Final = (
    Weather(drop=0.25, duplicate=0.25, reorder=0.25, cut=0.02, delay=(0.0, 0.2)),
    Weather(drop=0.6, down=False),
    Weather(drop=0.6, up=False),
    Weather(duplicate=1.0, reorder=0.5),
    Weather(cut=0.3),
    Weather(delay=(0.2, 1.5), reorder=0.3),
    Weather(stalled=True),
)
HARMS: Final = ("dropped", "duplicated", "reordered", "cut", "delayed", "half_open")


@fault("bad_line", least=80, share=1)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """One weather after the other; with time, connections that die without a word."""
    before = sum(town.proxy.counts[each] for each in HARMS)
    measured: dict[str, float] = {}
    problems: list[str] = []
    ends = time.monotonic() + seconds
    with town.busy():
        phases = 0
        while not phases or time.monotonic() + (2 * KEEPALIVE + 10) < ends:
            town.proxy.weather = rng.choice(WEATHERS) if phases else WEATHERS[0]
            time.sleep(PHASE)
            phases += 1
        if seconds >= 2 * KEEPALIVE:
            measured["reconnect_s"] = round(_half_open(town), 1)
            if measured["reconnect_s"] > 2 * KEEPALIVE + 5:
                problems.append(f"a half-open line was left after {measured['reconnect_s']} s only")
    notes = [f"half-open left after {value:.0f} s" for value in measured.values()]
    harms = sum(town.proxy.counts[each] for each in HARMS) - before
    return town.settle("harms", harms, notes=notes, measured=measured, problems=problems)


def _half_open(town: Town) -> float:
    """All connections die without a word; s until every station has noticed, and has another one."""
    town.proxy.weather = Weather(half_open=True)
    town.proxy.weather = CALM
    began = time.monotonic()
    while town.proxy.living < len(town.stations) and time.monotonic() - began < 4 * KEEPALIVE:
        time.sleep(0.2)
    return time.monotonic() - began
