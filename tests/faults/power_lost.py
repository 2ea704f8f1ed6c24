"""The power fails: the write-ahead log ends where the disk had got to, at any frame or inside one."""

import random
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from kiosk.testing_ui import Kiosk
from tests.faults import wal
from tests.faults.booth import SIZE, Booth
from tests.faults.ledger import Entry, Ledger
from tests.faults.proxy import Weather
from tests.faults.registry import Setting, fault
from tests.faults.report import Report
from tests.faults.town import Town

VISITS: Final = 4  # before each power cut
CUTS: Final = 30  # that SQLite opens in the short form
BACK: Final = 10.0  # s


class MarkedLedger(Ledger):
    """Beside each entry: how far the log had got when the line came that said it is done."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = log
        self._marks: list[wal.Mark] = []
        self._marking = threading.Lock()

    def add(self, done: dict[str, Any]) -> None:
        mark = wal.read(self._log, proved=False).mark
        with self._marking:
            super().add(done)
            self._marks.append(mark)

    def marked(self) -> list[tuple[Entry, wal.Mark]]:
        """All entries with their marks."""
        with self._marking:
            return list(zip(self.entries(), self._marks, strict=True))


def missing(database: Path, entries: list[Entry]) -> list[str]:
    """What SQLite does not find whole, or not at all, of what was shown as done."""
    with closing(sqlite3.connect(database)) as db:
        checked = db.execute("PRAGMA integrity_check").fetchone()[0]
        if checked != "ok":
            return [f"integrity_check says {checked}"]
        stream = db.execute("SELECT value FROM _meta WHERE key = 'stream'").fetchone()
        numbers = {number for (number,) in db.execute("SELECT number FROM _stream_up")}
    lost = [each for each in entries if each.number not in numbers or stream is None]
    return [f"number {each.number} {each.plugin}.{each.name} was shown and is gone" for each in lost]


class Cuts:
    """A station whose power failed, in a folder of its own; `shown` is what it had shown until then."""

    def __init__(self, dead: Path, shown: list[tuple[Entry, wal.Mark]]) -> None:
        self.database = dead / "station.db"
        self.log = wal.read(dead / "station.db-wal")
        self.shown = shown
        self.problems: list[str] = []

    def sizes(self, rng: random.Random, most: int) -> list[int]:
        """Where to cut: behind each frame, and inside the next one."""
        ends = [wal.HEADER, *self.log.ends]
        frame = wal.FRAME_HEADER + self.log.page
        found = ends + [end + rng.randrange(1, frame) for end in ends[:-1]]
        return sorted(rng.sample(found, most)) if len(found) > most else sorted(found)

    def holds(self, size: int) -> list[Entry]:
        """What must be there if the log was cut to this size."""
        return [entry for entry, mark in self.shown if self.log.holds(mark, size)]

    def check(self, folder: Path, size: int) -> None:
        """Let SQLite open it."""
        found = missing(wal.copy_cut(self.database, folder, size), self.holds(size))
        self.problems += [f"cut to {size} bytes: {each}" for each in found[:1]]
        shutil.rmtree(folder)

    def revive(self, folder: Path, size: int) -> None:
        """Let the real kiosk start on it, without a line to anybody, and serve somebody."""
        shutil.copytree(self.database.parent, folder)
        (folder / "credentials.json").unlink(missing_ok=True)
        wal.copy_cut(self.database, folder, size)
        with Kiosk(folder, size=SIZE) as kiosk:
            kiosk.tap(name="home.check_in")
            kiosk.tap(name="check_in.courier")
            kiosk.wait(name="check_in.message.next")
            said = kiosk.errors()
        if "damaged" in said:
            self.problems.append(f"cut to {size} bytes: called damaged")
        self.problems += missing(folder / "station.db", self.holds(size))[:1]
        shutil.rmtree(folder)


def lose_power(town: Town, booth: Booth, ledger: MarkedLedger, rng: random.Random) -> Cuts:
    """Visits that headquarters does not hear of, then darkness in the middle of another one."""
    town.proxy.weather = Weather(away=True)
    booth.go_home()
    for _ in range(VISITS):
        booth.act()
    with town.busy(booth):
        threading.Event().wait(rng.uniform(0.2, 1.5))
        booth.kill_all()
        booth.stop()
    dead = town.folder / "dead"
    shutil.rmtree(dead, ignore_errors=True)
    shutil.copytree(booth.data, dead)
    return Cuts(dead, ledger.marked())


@fault("power_lost", least=25, share=0.7, own=Setting(stations=1))
def run(town: Town, seconds: float, rng: random.Random) -> Report:
    """SQLite opens every cut (some, in the short form), the kiosk starts on some and goes on with one."""
    booth, long = town.stations[0], seconds >= 20
    ledger = booth.ledger = MarkedLedger(booth.data / "station.db-wal")
    booth.stop()
    booth.start()
    cuts = lose_power(town, booth, ledger, rng)
    sizes = cuts.sizes(rng, 2000 if long else CUTS)
    for size in sizes:
        cuts.check(town.folder / "cut", size)
    for size in rng.sample(sizes, 3 if long else 1):
        cuts.revive(town.folder / "revived", size)
    # The station itself goes on with what a disk must have at the very least: all that was shown.
    shown = [end for end in [wal.HEADER, *cuts.log.ends] if len(cuts.holds(end)) == len(cuts.shown)]
    size = shown[0]
    if size < (cuts.log.ends or (size,))[-1]:
        size += rng.randrange(wal.FRAME_HEADER + cuts.log.page)
    (booth.data / "station.db-shm").unlink(missing_ok=True)
    with open(booth.data / "station.db-wal", "r+b") as file:
        file.truncate(size)
    booth.power_on()
    report = town.settle("cuts", len(sizes) + 1, problems=cuts.problems)
    # What was stored and not yet shown may be cut off, and is then told as lost; what was shown may not.
    report.lossy = True
    books = town.books()
    entries = ledger.entries()
    gone = [each.number for each in entries if books.declared((booth.id, each.stream, each.number))]
    report.problems += [f"number {each} was shown, and is said to be lost" for each in gone]
    return report
