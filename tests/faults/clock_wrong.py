"""Wall clocks in 1970, years ahead, jumping back: order and corrected times hold, and no hour of nowhere."""

import random
import secrets
import time
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from protocol import messages
from protocol.frame import Frame
from protocol.messages import Event, Heartbeat
from server.store import Store, rollups
from tests.faults import accounts
from tests.faults.booth import Booth
from tests.faults.registry import fault
from tests.faults.report import Report
from tests.faults.town import Town
from tests.faults.voice import Voice, claimed

YEAR: Final = 365 * 24 * 3600 * 1000  # ms
MONTH: Final = YEAR // 12  # ms; no town is as old, so nothing that it shows as complete is of then
SLACK: Final = 90_000  # ms by which a corrected time may differ from ours
REORDERED: Final = (
    5_000  # ms by which a later message may seem earlier: frames take different times to arrive
)

Row = tuple[int, int, str, str]


def shifts(rng: random.Random) -> list[int]:
    """ms by which the clock is wrong, one after the other: each is a jump from the one before."""
    wrong = [-_now(), 10 * YEAR, -MONTH, rng.randrange(-5 * YEAR, 5 * YEAR), 100 * YEAR]
    rng.shuffle(wrong)
    return wrong


def visits(town: Town, booth: Booth, wrong: list[int]) -> None:
    """Use a station whose clock jumps while it runs; it starts once with a wrong one."""
    for shift in wrong:
        booth.go_home()
        assert booth.kiosk is not None
        booth.kiosk.do(do="clock", shift_ms=shift)
        booth.check_in()
        booth.look()
    booth.stop()
    booth.arguments.append(f"--clock-shift={wrong[0]}")
    booth.start()
    booth.go_home()
    booth.check_in()
    booth.stop()
    booth.arguments.pop()
    booth.start()


def rows(town: Town, station: str, stream: str, after: int) -> list[Row]:
    """(number, at, clock, kind) as headquarters has them, in the order of the stream."""
    with accounts.looking(town.centre.database) as db:
        found = db.execute(
            "SELECT number, message.at, clock, kind FROM message JOIN stream ON stream.id = message.stream"
            " WHERE station = ? AND name = ? AND number > ? ORDER BY number",
            [station, stream, after],
        )
        return [(number, at, clock, kind) for number, at, clock, kind in found]


def corrected(found: list[Row], began: int, ended: int) -> list[str]:
    """What is wrong with times of one boot: they can be put right, to the second."""
    problems = [
        f"number {number} is filed at {at}, {clock}"
        for number, at, clock, _ in found
        if not began - SLACK <= at <= ended + SLACK or clock == "unsure"
    ]
    latest = 0
    for number, at, _, _ in found:
        if at < latest - REORDERED:
            problems.append(f"number {number} is filed {latest - at} ms before one that came before it")
        latest = max(latest, at)
    return problems


def another_boot(town: Town, folder: Path, rng: random.Random) -> list[str]:
    """What was stored in an earlier boot with a wrong clock is all that cannot be put right.

    It is marked, and no moment when it may have happened is called complete.
    """
    name, stream = f"reboot-{rng.randrange(16**6):06x}", secrets.token_hex(8)
    problems = []
    with Voice(claimed(town.centre, name, folder / name), town.centre.mqtt) as voice:
        began = _now()
        first = _alive(voice, stream, 1, began)
        for at in (5000, _now() + 10 * YEAR):
            events = [Event(at=at + n, up=1000 + n, plugin="jobs", name="opened") for n in range(3)]
            msgs = [msgspec.Raw(messages.encode(each)) for each in events]
            # `up` is 0: the machine was started anew since, and its clock counts from there.
            said = _now()
            voice.say(Frame(v=1, stream=stream, first=first, run="r", boot="a", sent=at, msgs=msgs))
            first += len(msgs)
        _alive(voice, stream, first, ended := _now())
    found = [row for row in rows(town, name, stream, 0) if row[3] == "event"]
    with accounts.looking(town.centre.database) as db:
        station = accounts.known(db)[name]
    if station.upto != ended:
        problems.append(f"a heartbeat of {ended} says that all has come up to {station.upto}")
    for moment in range(began, said, max(1, (said - began) // 10)):
        if accounts.called_complete(station, moment):
            problems.append(f"{moment} is called complete, and {len(found)} events may be of then")
    if {clock for _, _, clock, _ in found} != {"unsure"}:
        problems.append(f"times of an earlier boot are not marked: {found}")
    return problems


def _alive(voice: Voice, stream: str, first: int, now: int) -> int:
    """Say one heartbeat, stamped `now` by a right clock; the number of the next message."""
    msgs = [msgspec.Raw(messages.encode(Heartbeat(at=now, up=9000)))]
    voice.say(Frame(v=1, stream=stream, first=first, run="r", boot="a", sent=now, up=9000, msgs=msgs))
    return first + 1


def hours(town: Town, stations: tuple[str, ...] = ()) -> list[str]:
    """Hours in the figures that nobody of ours has lived through."""
    with closing(Store(town.centre.data)) as store, store.read() as conn:
        known = {key[0] for key in rollups.stored(conn)}
    years = {time.gmtime(hour / 1000).tm_year for hour in known}
    this = time.gmtime().tm_year
    return [f"there are figures of the year {year}" for year in sorted(years) if abs(year - this) > 1]


def _now() -> int:
    return time.time_ns() // 1_000_000


@fault("clock_wrong", least=15, share=0.4)
def run(town: Town, seconds: float, rng: random.Random) -> Report:
    """Jumps while the station runs, a start with a wrong clock, and what an earlier boot left behind."""
    ends, booth = time.monotonic() + seconds, town.stations[0]
    booth.go_home()
    town.drain()
    disk, began = town.disk(booth), _now()
    jumps = 0
    while not jumps or time.monotonic() < ends:
        wrong = shifts(rng)
        visits(town, booth, wrong)
        jumps += len(wrong) + 2
    town.heal()
    town.drain()
    found = rows(town, booth.id, disk.stream, disk.last)
    problems = corrected(found, began, _now())
    problems += another_boot(town, town.folder, rng) + hours(town)
    if len(found) < jumps:
        problems.append(f"only {len(found)} messages came while the clock was wrong")
    return town.settle("jumps", jumps, problems=problems)
