"""A town in miniature: headquarters, its broker, bad weather on the line, and stations used by visitors.

All of it is the real program in real processes on loopback. See `registry` for how a fault file looks.
"""

import contextlib
import os
import random
import shutil
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import msgspec

from kiosk import claim, tables
from kiosk.clock import SystemClock
from kiosk.database import Database
from kiosk.options import OUTBOX_LIMIT
from kiosk.outbox import Outbox
from kiosk.testing_ui import KioskFailed
from protocol import messages
from protocol.messages import Event
from tests.faults import accounts, reckoning, small_disk
from tests.faults.accounts import Books, Disk
from tests.faults.booth import Booth
from tests.faults.centre import Centre
from tests.faults.proxy import CALM, Proxy
from tests.faults.reckoning import Memory, Verdict
from tests.faults.registry import Setting, Skipped
from tests.faults.report import Report
from tests.faults.watch import Watch

T = TypeVar("T")

DRAIN: Final = 90.0  # s
SETTLE: Final = 20.0  # s for answers, figures and pages to follow
BACK: Final = 10.0  # s in which the screen is back after a kill ...
STUCK: Final = 3  # visits in one row that may get stuck on a machine that does much else
CROWDED: Final = 2.5  # ... unless more processes than this wait for each processor


class Town:
    """Use as a context manager: everything runs inside, nothing is left of it afterwards.

    `folder` holds it all: headquarters' data in `folder/hq`, each station's in `folder/<its id>`. Faults act
    on `centre`, `proxy` and `stations`, and end with `settle`.
    """

    def __init__(self, seed: int, setting: Setting | None = None, folder: Path | None = None) -> None:
        self.setting = setting or Setting()
        self.rng = random.Random(seed)
        self._own_folder = folder is None
        self.folder = folder or Path(tempfile.mkdtemp(prefix="yizhan-town-"))
        self.centre = Centre(self.folder / "hq")
        self.proxy = Proxy(self.centre.mqtt, random.Random(self.rng.random()))
        self.stations: list[Booth] = []
        self.memory = Memory()
        self.watch = Watch(self.centre, self.stations)
        #: Whether there is time to ask the product's own commands too.
        self.thorough = True
        self._known = Verdict()
        self._acted = 0
        self._ends = ExitStack()

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._ends.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ends.close()

    def _build(self) -> None:
        if self._own_folder:
            self._ends.callback(shutil.rmtree, self.folder, ignore_errors=True)
        if self.setting.headquarters_disk:
            try:
                self._ends.enter_context(small_disk.mounted(self.centre.data, self.setting.headquarters_disk))
            except small_disk.NoSmallDisk as err:
                raise Skipped(str(err)) from err
        names = {f"zl-{number:03}": f"{number} 号驿站" for number in range(1, self.setting.stations + 1)}
        codes = self.centre.prepare(self.folder / "samples", names)
        self._ends.callback(self.centre.stop)
        self.centre.ensure()
        self._ends.enter_context(self.proxy)
        for id in names:
            booth = Booth(id, self.folder / id, self.setting, random.Random(self.rng.random()))
            credentials = claim.claim(self.centre.address, codes[id], booth.data)
            claim.save(booth.data, self.through_proxy(credentials))
            self.stations.append(booth)
            self._ends.callback(booth.stop)
            booth.start()
        for booth in self.stations:
            booth.go_home()
        self._ends.callback(self.watch.stop)
        self.watch.start()

    def through_proxy(self, credentials: claim.Credentials) -> claim.Credentials:
        """These credentials with the proxy in the broker's place."""
        mqtt = msgspec.structs.replace(credentials.mqtt, port=self.proxy.port, host="127.0.0.1")
        return msgspec.structs.replace(credentials, mqtt=mqtt)

    # what faults use

    @contextlib.contextmanager
    def busy(self, *stations: Booth) -> Iterator[None]:
        """Visitors use these stations (all without any), one thread each, until the block ends."""
        closing = threading.Event()
        visitors = [
            threading.Thread(target=booth.visit, args=(closing,), name=f"visitors-{booth.id}", daemon=True)
            for booth in stations or self.stations
        ]
        for each in visitors:
            each.start()
        try:
            yield
        finally:
            closing.set()
            for each in visitors:
                each.join(120)

    def act(self, times: int = 1) -> None:
        """Visits to all stations, one after the other, without a fault in between."""
        for _ in range(times):
            for booth in self.stations:
                booth.go_home()
                booth.act()

    def fill(self, booth: Booth, count: int, limit: int = OUTBOX_LIMIT) -> None:
        """Let a station have said so much, by its own outbox but without a screen; it does not run then."""
        booth.stop()
        database, clock = Database(booth.database, tables.prepare), SystemClock()
        try:
            database.opened.wait()
            outbox = Outbox(database, clock, limit)
            outbox.load().wait()
            for number in range(count):
                fields: dict[str, messages.Value] = {"trade": "courier", "method": "tap"}
                # Of this very moment: older than the heartbeat before it would be a lie to headquarters.
                at, up, visit = clock.wall_ms(), clock.monotonic_ms(), f"fill-{number}"
                said = outbox.say(
                    Event(at=at, up=up, plugin="check_in", name="checked_in", d=fields, session=visit)
                )
            said.wait()
        finally:
            database.close()

    def disk(self, booth: Booth) -> Disk:
        """A station's disk as it stands; tried again while the station opens or mends it."""
        return patiently(lambda: accounts.disk(booth.database))

    def books(self) -> Books:
        """Headquarters' database as it stands."""
        return patiently(lambda: accounts.books(self.centre.database))

    def heal(self) -> None:
        """Calm weather, everything runs, every station has a home screen."""
        self.proxy.weather = CALM
        self.centre.environment.clear()
        self.centre.ensure()
        for booth in self.stations:
            booth.start()
        for booth in self.stations:
            booth.go_home()

    def drain(self, seconds: float = DRAIN) -> float:
        """Wait until headquarters has all that is on the disks; how long it took (s). TimeoutError if not."""
        began = time.monotonic()
        wanted = {booth.id: self.disk(booth) for booth in self.stations}
        while waiting := self._waiting(wanted):
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"not drained within {seconds:.0f} s: {waiting}")
            time.sleep(0.1)
            # A station that learns that its disk is a copy begins a new stream.
            wanted = {id: disk if disk.last else self.disk(self.booth(id)) for id, disk in wanted.items()}
        return time.monotonic() - began

    def booth(self, id: str) -> Booth:
        return next(each for each in self.stations if each.id == id)

    def settle(
        self,
        what: str,
        injected: int,
        *,
        notes: list[str] | None = None,
        measured: dict[str, float] | None = None,
        problems: list[str] | None = None,
    ) -> Report:
        """Heal, drain, compare all accounts: the report of a fault that was injected so many times."""
        report = Report(
            "", what, injected, notes=notes or [], measured=measured or {}, problems=problems or []
        )
        try:
            self.heal()
            report.measured["drain_s"] = round(self.drain(), 2)
        except (AssertionError, KioskFailed, TimeoutError) as err:
            report.problems.append(str(err).splitlines()[0])
        verdict = self.verdict()
        report.lost, report.doubled = len(verdict.lost), len(verdict.doubled)
        report.invented, report.declared = len(verdict.invented), len(verdict.declared)
        for differing in (verdict.lost, verdict.doubled, verdict.invented):
            report.problems += sorted(differing)[: reckoning.SHOWN]
        report.problems += verdict.problems + self.watch.take()
        self._screens(report)
        acted = sum(booth.actions for booth in self.stations)
        report.actions, self._acted = acted - self._acted, acted
        return report

    def verdict(self) -> Verdict:
        """What differs between the accounts and did not before; looks again while answers are under way."""
        ends = time.monotonic() + SETTLE
        while True:
            verdict, books = self._compare()
            try:
                verdict.problems += reckoning.figures(self.centre, self.stations, books)
                if self.thorough:
                    verdict.problems += reckoning.recounted(self.centre)
            except OSError as err:
                verdict.problems.append(f"the API does not answer: {err}")
            new = verdict.since(self._known)
            if not new.differs or time.monotonic() > ends:
                self._known = verdict
                return new
            time.sleep(0.5)

    # within

    def _compare(self) -> tuple[Verdict, Books]:
        before = {booth.id: self.disk(booth) for booth in self.stations}
        books = self.books()
        after = {booth.id: self.disk(booth) for booth in self.stations}
        return reckoning.compare(self.stations, before, books, after, self.memory), books

    def _waiting(self, wanted: dict[str, Disk]) -> list[str]:
        """Stations of which headquarters has less than what was on their disks."""
        books = patiently(lambda: accounts.cursors(self.centre.database))
        behind = []
        for id, disk in wanted.items():
            stream = patiently(lambda id=id: accounts.stream_of(self.booth(id).database))  # type: ignore[misc]
            if stream != disk.stream:
                wanted[id] = Disk()
                behind.append(f"{id} has begun a new stream")
            elif books.get((id, stream), 0) < disk.last:
                behind.append(f"{id} at {books.get((id, stream), 0)} of {disk.last}")
        return behind

    def _screens(self, report: Report) -> None:
        back = [seconds for booth in self.stations for seconds in booth.back]
        for booth in self.stations:
            report.problems += booth.problems
            report.stuck += booth.stuck
            booth.problems, booth.back, booth.stuck = [], [], []
        if len(report.stuck) > STUCK:
            report.problems.append(f"{len(report.stuck)} visitors got stuck, such as: {report.stuck[0]}")
        if back:
            report.measured["screen_back_s"] = round(max(back), 2)
            report.notes.append(f"screen back <= {max(back):.1f} s")
            if max(back) > BACK:
                _late(report, max(back))


def _late(report: Report, seconds: float) -> None:
    """A screen that took too long is a problem, unless the machine has no time for anybody."""
    crowd = os.getloadavg()[0] / (os.cpu_count() or 1)
    report.measured["processes_waiting"] = round(crowd, 1)
    if crowd > CROWDED:
        report.notes.append(f"({crowd:.1f} processes a processor)")
    else:
        report.problems.append(f"a screen was back after {seconds:.1f} s only")


def patiently(look: Callable[[], T], seconds: float = 10.0) -> T:
    """What `look` finds, tried again while the database is locked, being replaced or not there yet."""
    ends = time.monotonic() + seconds
    while True:
        try:
            return look()
        except sqlite3.Error:
            if time.monotonic() > ends:
                raise
            time.sleep(0.1)
