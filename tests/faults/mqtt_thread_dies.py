"""The thread that paho works in dies without a word, at a station and at headquarters: each gets another."""

import os
import random
import time
from pathlib import Path
from typing import Final

from kiosk.options import SHIPPED
from tests.faults import hostile
from tests.faults.registry import Setting, fault
from tests.faults.report import Report
from tests.faults.town import Town

REBUILT: Final = 30.0  # s
PLUGIN: Final = "ends_link"
#: Python imports `sitecustomize` before anything else, from a folder that the environment names.
INSIDE: Final = Path(__file__).parent / "inside"


def at_the_station(town: Town) -> float:
    """A plugin makes the next message end the link's thread: seconds until headquarters has all again."""
    booth = town.stations[0]
    booth.go_home()
    assert booth.kiosk is not None
    booth.kiosk.tap(name=f"home.{PLUGIN}")
    booth.go_home()
    began = time.monotonic()
    booth.check_in()  # its acknowledgement is the message
    booth.check_in()
    town.drain(2 * REBUILT)
    return time.monotonic() - began


def at_headquarters(town: Town, word: Path) -> float:
    """The collector's next frame ends its MQTT thread: seconds until the stations are heard again."""
    booth = town.stations[0]
    booth.go_home()
    word.touch()
    began = time.monotonic()
    booth.check_in()
    town.drain(2 * REBUILT)
    took = time.monotonic() - began
    if word.exists():
        raise AssertionError("the collector's thread was never hit")
    return took


@fault("mqtt_thread_dies", least=20, own=Setting(stations=1))
def run(town: Town, seconds: float, rng: random.Random) -> Report:
    """Each once, and again while there is time."""
    ends, times = time.monotonic() + seconds, 0
    booth, word = town.stations[0], town.folder / "end-the-thread"
    folder = town.folder / "plugins"
    hostile.write(folder, PLUGIN)
    booth.stop()
    booth.plugins = (SHIPPED, folder)
    town.centre.stop()
    path = [str(INSIDE), *filter(None, [os.environ.get("PYTHONPATH")])]
    town.centre.environment = {"PYTHONPATH": os.pathsep.join(path), "YIZHAN_TEST_END_THREAD": str(word)}
    town.centre.ensure()
    booth.start()
    slowest = 0.0
    while not times or time.monotonic() < ends:
        slowest = max(slowest, at_the_station(town), at_headquarters(town, word))
        times += 2
    problems = [] if slowest <= REBUILT else [f"the line was back after {slowest:.0f} s only"]
    return town.settle(
        "threads",
        times,
        notes=[f"line back <= {slowest:.1f} s"],
        measured={"line_back_s": round(slowest, 1)},
        problems=problems,
    )
