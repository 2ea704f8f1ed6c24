"""Nobody answers for "72 hours": the outbox is bounded and says what it let go; what it kept drains."""

import time
from random import Random
from typing import Final

from tests.faults.booth import Booth
from tests.faults.proxy import CALM, Weather
from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town

BACKLOG: Final = 1500  # messages, of 72 hours
DRAINED: Final = 10.0  # s
LIMIT: Final = 256  # messages that the bounded outbox keeps


@fault("broker_away", least=30, share=0.3)
def run(town: Town, seconds: float, rng: Random) -> Report:
    """One backlog that fits, one that does not."""
    problems: list[str] = []
    fits, bounded = town.stations[0], town.stations[-1]
    town.proxy.weather = Weather(away=True)
    drained = _within(town, fits, problems)
    town.proxy.weather = Weather(away=True)
    let_go = _beyond(town, bounded, seconds)
    report = town.settle(
        "outages",
        2,
        notes=[f"{BACKLOG} drained in {drained:.1f} s"],
        measured={"backlog": BACKLOG, "backlog_drained_s": round(drained, 2), "let_go": let_go},
        problems=problems,
    )
    report.lossy = True
    if report.declared != let_go:
        report.problems.append(f"{let_go} messages were let go, {report.declared} are known to be lost")
    return report


def _within(town: Town, booth: Booth, problems: list[str]) -> float:
    """A backlog that the outbox can hold: s from the line's return until headquarters has it all."""
    town.fill(booth, BACKLOG)
    booth.start()
    booth.go_home()
    booth.check_in()
    town.proxy.weather = CALM
    seconds = town.drain()
    if seconds > DRAINED:
        problems.append(f"{BACKLOG} messages took {seconds:.1f} s to drain")
    return seconds


def _beyond(town: Town, booth: Booth, seconds: float) -> int:
    """A backlog beyond the limit, the last of it by touch; how many messages the station let go."""
    booth.arguments.append(f"--outbox-limit={LIMIT}")
    before = town.disk(booth)
    town.fill(booth, 2 * LIMIT, LIMIT)
    booth.start()
    booth.go_home()
    ends = time.monotonic() + min(20.0, seconds / 2)
    visits = 0
    while visits < 2 or time.monotonic() < ends:
        booth.check_in()
        visits += 1
    booth.stop()
    booth.arguments.pop()
    after = town.disk(booth)
    assert after.stream == before.stream
    return min(after.rows) - 1 - before.last
