"""The station's disk is full: the screen lives, confirms only what is stored, and counts the rest."""

import random
import shutil
import sqlite3
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from kiosk.options import SHIPPED
from kiosk.testing_ui import Kiosk
from tests.faults import accounts, small_disk
from tests.faults.booth import TRADES, Booth
from tests.faults.registry import Setting, Skipped, fault
from tests.faults.report import Report
from tests.faults.town import Town

ROOM: Final = 6 * 1024 * 1024  # bytes beside what the station holds already
#: Services that say something only when they are touched, so that what is lost can be counted from outside.
QUIET: Final = ("check_in", "hello", "legal_aid")
ATTEMPTS: Final = 40  # until the disk, with what SQLite has kept of it, takes nothing more
FAILURES: Final = 3
TOLD: Final = 30.0  # s
BACK: Final = 10.0  # s
SIGNED: Final = "签好了"


@dataclass
class Shortage:
    """One station on a small disk; `said` counts what its visitors let it say, stored or not."""

    town: Town
    booth: Booth
    rng: random.Random
    base: int = 0  # the number before the first visit
    check_in_says: int = 0  # messages of one visit
    booking_says: int = 0
    said: int = 0
    fills: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """How many messages were not stored."""
        return self.said - self._stored()

    @property
    def kiosk(self) -> Kiosk:
        assert self.booth.kiosk is not None
        return self.booth.kiosk

    def check_in(self) -> bool:
        """Sign in: whether it was stored. The screen must say the same."""
        self.booth.go_home()
        before = len(self.booth.ledger)
        self.kiosk.tap(name="home.check_in")
        self.kiosk.tap(name=f"check_in.{self.rng.choice(TRADES)}")
        self.kiosk.wait(name="check_in.message.back")
        stored = len(self.booth.ledger) > before
        said = any(SIGNED in text for text in self.kiosk.texts())
        if said and not stored:
            self.problems.append("the screen says signed in, and nothing is stored")
        self.kiosk.tap(name="shell.finish")
        self.said += self.check_in_says
        return stored

    def book(self) -> bool:
        """Try to take a slot: whether it was stored."""
        self.booth.go_home()
        before = len(self.booth.ledger)
        kiosk = self.kiosk
        kiosk.tap(name="home.legal_aid")
        kiosk.tap(name="legal_aid.wages")
        kiosk.wait(name="shell.finish")
        free = [
            each["name"]
            for each in kiosk.widgets()
            if str(each.get("name") or "").startswith("legal_aid.slot.") and not each.get("disabled")
        ]
        kiosk.tap(name=self.rng.choice(free))
        kiosk.tap(name="legal_aid.times.next")
        kiosk.tap(name="legal_aid.contact.number_only")
        kiosk.wait(name="legal_aid.outcome.next")
        stored = len(self.booth.ledger) > before
        kiosk.tap(name="shell.finish")
        self.said += self.booking_says
        return stored

    def measure(self) -> None:
        """One visit of each kind while there is room: how many messages that makes."""
        self.base = self.town.disk(self.booth).last
        if not self.check_in():
            self.problems.append("nobody could sign in while there was room")
        self.said = self.check_in_says = self._closed(1)
        if not self.book():
            self.problems.append("no booking was taken while there was room")
        self.said = self._closed(2)
        self.booking_says = self.said - self.check_in_says

    def _closed(self, visits: int) -> int:
        """Wait until the end of so many visits is on disk; the messages of visitors since the first."""
        ends = time.monotonic() + TOLD
        while [what[2] for what in self._visible()].count("closed") < visits:
            if time.monotonic() > ends:
                raise AssertionError("the end of a visit is not on disk")
            time.sleep(0.1)
        return self._stored()

    def _stored(self) -> int:
        return len(self._visible())

    def _visible(self) -> list[tuple[str, str, str, int, str]]:
        rows = self.town.disk(self.booth).rows.items()
        found = [accounts.content_of(body) for number, body in rows if number > self.base]
        # An answer of headquarters makes an event too, whenever it comes.
        return [each for each in found if each and each[0] in ("event", "request") and each[2] != "answered"]

    def fill(self) -> None:
        """Until nothing is stored any more: what SQLite still had of the disk is used up first."""
        small_disk.fill(self.booth.data)
        self.fills += 1
        for _ in range(ATTEMPTS):
            small_disk.fill(self.booth.data)
            if not self.check_in():
                return
        self.problems.append(f"{ATTEMPTS} check-ins were stored on a full disk")

    def suffer(self) -> None:
        """Full: visits go on."""
        for _ in range(FAILURES):
            self.check_in()
        if self.book():
            self.problems.append("a booking was taken on a full disk")

    def await_told(self) -> None:
        """Headquarters has been told of all that was not stored, exactly, once."""
        ends = time.monotonic() + TOLD
        while (n := self._told()) != (lost := self.lost):
            if time.monotonic() > ends:
                self.problems.append(f"{lost} messages were not stored, headquarters was told of {n}")
                return
            time.sleep(0.2)

    def _told(self) -> int:
        with suppress(sqlite3.Error), accounts.looking(self.town.centre.database) as db:
            query = "SELECT coalesce(sum(n), 0) FROM gap WHERE station = ? AND why = 'disk'"
            return int(db.execute(query, [self.booth.id]).fetchone()[0])
        return -1


def move(booth: Booth, stash: Path) -> int:
    """What the station holds goes aside, to come back onto another disk; its size in bytes."""
    shutil.copytree(booth.data, stash)
    return sum(file.stat().st_size for file in stash.rglob("*") if file.is_file())


@fault("station_disk_full", least=40, share=0.3, own=Setting(stations=1, heartbeat=600.0))
def run(town: Town, seconds: float, rng: random.Random) -> Report:
    """Filled and freed while it runs, and killed and started while it is full."""
    booth, stash = town.stations[0], town.folder / "stash"
    booth.stop()
    quiet = town.folder / "quiet"
    for name in QUIET:
        shutil.copytree(SHIPPED / name, quiet / name)
    try:
        with small_disk.mounted(booth.data, move(booth, stash) + ROOM) as disk:
            shutil.copytree(stash, disk, dirs_exist_ok=True)
            booth.plugins = (quiet,)
            return _run(Shortage(town, booth, rng), seconds)
    except small_disk.NoSmallDisk as err:
        raise Skipped(str(err)) from err


def _run(shortage: Shortage, seconds: float) -> Report:
    town, booth = shortage.town, shortage.booth
    ends = time.monotonic() + seconds
    slowest = 0.0
    try:
        booth.start()
        booth.go_home()
        shortage.measure()
        while not shortage.fills or time.monotonic() < ends:
            shortage.fill()
            shortage.suffer()
            booth.kill_all()
            booth.stop()
            began = time.monotonic()
            booth.start()
            booth.go_home()
            slowest = max(slowest, time.monotonic() - began)
            shortage.check_in()
            small_disk.free(booth.data)
            booth.go_home()
            if not shortage.check_in():
                # SQLite may find the room a moment later.
                shortage.check_in()
            shortage.await_told()
        if slowest > BACK:
            shortage.problems.append(f"on a full disk the screen was back after {slowest:.1f} s only")
        return town.settle(
            "full disks",
            shortage.fills,
            notes=[f"{shortage.lost} not stored, all told"],
            measured={"screen_back_s": round(slowest, 2), "not_stored": float(shortage.lost)},
            problems=shortage.problems,
        )
    finally:
        booth.stop()
