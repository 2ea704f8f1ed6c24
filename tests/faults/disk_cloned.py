"""A running station's disk is copied and both run: every action counts once, and it is said loudly."""

import json
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Final

from kiosk import claim
from tests.faults import accounts
from tests.faults.accounts import Books
from tests.faults.booth import Booth
from tests.faults.registry import Setting, fault
from tests.faults.report import Report
from tests.faults.town import Town

DRAIN: Final = 120.0  # s: two machines under one name disturb each other's line all the time
ALARM: Final = 20.0  # s
SHUT_OUT: Final = 3  # visits that headquarters must not count


def clone(town: Town, booth: Booth, folder: Path) -> Booth:
    """The same disk in another machine, as it was at this moment."""
    kiosk, pid = booth.kiosk, booth.pid()
    assert kiosk is not None
    assert pid is not None
    for each in (kiosk.process.pid, pid):
        os.kill(each, signal.SIGSTOP)
    try:
        shutil.copytree(booth.data, folder)
    finally:
        for each in (pid, kiosk.process.pid):
            os.kill(each, signal.SIGCONT)
    twin = Booth(booth.id, folder, town.setting, random.Random(town.rng.random()))
    twin.start()
    return twin


def missing(both: tuple[Booth, Booth], books: Books) -> tuple[list[str], list[str]]:
    """What either has shown and headquarters has not; what headquarters has more often than it was shown."""
    station = both[0].id
    shown = Counter(entry.what for booth in both for entry in booth.ledger.entries())
    there: Counter[object] = Counter()
    for place, filed in books.messages.items():
        if place[0] == station and filed.kind in ("event", "request"):
            there[accounts.content_of(filed.body)] += 1
    lost = [f"{what}" for what, n in shown.items() if there[what] < n]
    doubled = [f"{what}" for what, n in shown.items() if there[what] > n]
    return lost, doubled


def alarmed(town: Town, station: str) -> bool:
    """Whether the API says that two machines speak as this station."""
    said = town.centre.api(f"stations/{station}")
    return any(gap.get("why") == "clone" and gap.get("until") is None for gap in said.get("gaps", []))


def shut_out(town: Town, kept: Booth, twin: Booth) -> list[str]:
    """A fresh claim for one of them: the other can say nothing any more."""
    kept.stop()
    code = town.centre.command("claim-code", kept.id).stdout.split(": ")[1].split()[0]
    credentials = claim.claim(town.centre.address, code, kept.data)
    claim.save(kept.data, town.through_proxy(credentials))
    town.proxy.cut()
    kept.start()
    kept.go_home()
    kept.check_in()
    town.drain()
    twin.go_home()
    before = len(twin.ledger)
    for _ in range(SHUT_OUT):
        twin.check_in()
    kept.check_in()
    town.drain()
    said = {entry.what for entry in twin.ledger.entries()[before:]}
    heard = {accounts.content_of(filed.body) for filed in town.books().messages.values()}
    problems = [] if not said & heard else ["the machine that was shut out is still heard"]
    if alarmed(town, kept.id):
        problems.append("the alarm goes on after a fresh claim")
    return problems


@fault("disk_cloned", least=40, share=0.4, own=Setting(stations=1))
def run(town: Town, seconds: float, rng: random.Random) -> Report:
    """Both used at once until the time is over, then one claimed anew."""
    booth = town.stations[0]
    town.act(2)
    twin = clone(town, booth, town.folder / "twin")
    problems: list[str] = []
    try:
        twin.go_home()
        ends = time.monotonic() + max(3.0, seconds - 30)
        with town.busy(booth, twin):
            time.sleep(max(0.0, ends - time.monotonic()))
        town.heal()
        twin.go_home()
        lost, doubled = _settled(town, (booth, twin))
        alarm = time.monotonic() + ALARM
        while not (rings := alarmed(town, booth.id)) and time.monotonic() < alarm:
            time.sleep(0.2)
        if not rings:
            problems.append("no alarm: " + json.dumps(town.centre.api(f"stations/{booth.id}"))[:300])
        actions = twin.actions
        problems += shut_out(town, booth, twin)
    finally:
        twin.stop()
    report = Report("", "clones", 1, actions=booth.actions + actions, problems=problems)
    report.lost, report.doubled = len(lost), len(doubled)
    report.problems += lost[:3] + doubled[:3] + twin.problems + booth.problems
    return report


def _settled(town: Town, both: tuple[Booth, Booth]) -> tuple[list[str], list[str]]:
    ends = time.monotonic() + DRAIN
    while True:
        lost, doubled = missing(both, town.books())
        if not lost or time.monotonic() > ends:
            return lost, doubled
        time.sleep(0.5)
