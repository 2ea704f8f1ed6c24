"""The station's database is damaged: set aside, salvaged, told to headquarters; the screen does not wait."""

import random
import time
from typing import Final

from tests.faults import accounts, damage
from tests.faults.booth import Booth
from tests.faults.proxy import CALM, Weather
from tests.faults.registry import Setting, fault
from tests.faults.report import Report
from tests.faults.town import Town

BACK: Final = 10.0  # s
TOLD: Final = 20.0  # s
#: Damage that SQLite must notice, or that leaves nothing to notice: the file is set aside.
ASIDE: Final = ("header", "middle_page")


def harm(town: Town, booth: Booth, kind: str, rng: random.Random) -> tuple[float, list[str]]:
    """Visits that headquarters does not hear of, darkness, damage: seconds to the screen, what went wrong."""
    town.proxy.weather = Weather(away=True)
    booth.go_home()
    for _ in range(2):
        booth.act()
    if kind not in ASIDE:
        booth.kill_all()  # else it ends in order, with everything in the file that is damaged
    booth.stop()
    before = set(booth.data.glob("station.db.damaged-*"))
    damage.KINDS[kind](booth.data, rng)
    booth.wrecked = True
    town.proxy.weather = CALM
    began = time.monotonic()
    booth.power_on()
    booth.go_home()
    back = time.monotonic() - began
    problems = []
    if kind in ASIDE and not set(booth.data.glob("station.db.damaged-*")) - before:
        problems.append(f"{kind}: the damaged file was not set aside")
    booth.act()
    return back, problems


def told(town: Town, booth: Booth, since: int) -> bool:
    """Whether headquarters knows of a gap that begins before now and touches the time since."""
    with accounts.looking(town.centre.database) as db:
        found = db.execute(
            "SELECT count(*) FROM gap WHERE station = ? AND at >= ?"
            " AND since <= ? AND until >= ? AND why IN ('damaged', 'lost', 'new_stream')",
            [booth.id, since, time.time_ns() // 1_000_000, since],
        ).fetchone()
    return bool(found[0])


@fault("database_damaged", least=40, share=0.7, own=Setting(stations=1))
def run(town: Town, seconds: float, rng: random.Random) -> Report:
    """Every kind of damage once, in any order; again while there is time."""
    ends, booth = time.monotonic() + seconds, town.stations[0]
    backs: dict[str, float] = {}
    problems: list[str] = []
    kinds = list(damage.KINDS)
    if seconds < 20:
        kinds = ["header", "emptied"]
    rng.shuffle(kinds)
    times = 0
    while times < len(kinds) or time.monotonic() < ends:
        kind, since = kinds[times % len(kinds)], time.time_ns() // 1_000_000
        back, found = harm(town, booth, kind, rng)
        backs[kind] = max(back, backs.get(kind, 0.0))
        problems += found
        town.drain()
        if kind in ("header", "emptied") and not _until_told(town, booth, since):
            problems.append(f"{kind}: headquarters was not told")
        times += 1
    problems += [f"{kind}: the screen was back after {s:.1f} s only" for kind, s in backs.items() if s > BACK]
    slowest = max(backs.values())
    report = town.settle(
        "damages",
        times,
        notes=[f"screen back <= {slowest:.1f} s"],
        measured={f"back_{kind}_s": round(s, 2) for kind, s in backs.items()},
        problems=problems,
    )
    report.lossy = True
    return report


def _until_told(town: Town, booth: Booth, since: int) -> bool:
    ends = time.monotonic() + TOLD
    while not told(town, booth, since):
        if time.monotonic() > ends:
            return False
        time.sleep(0.2)
    return True
