"""From a touch to its first picture while the disk stalls for two seconds at a time, divided by an idle disk.

The disk is stalled in two ways. Where there is a C compiler, writes and flushes of the station's process
really wait (stalling_disk.c). And everywhere another process holds SQLite's write lock: to the screen that is
the same, as the one writer thread sits in a C call that waits, with Python's own lock let go, and all else
must do without it. Each touch opens or leaves a service, an event to be stored, so the writer must wait.
"""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from kiosk.testing_ui import Kiosk
from tests.bench.headquarters import ROOT
from tests.bench.measure import Figure, interleaved, percentile
from tests.bench.station import filled_station
from tests.bench.touch import SERVICES

ROUNDS = 5
PASSES = 2  # through all services: 20 touches in a round
STALL_S = 2.0


class Stall(Protocol):
    """A disk that can be made to stall for STALL_S."""

    @property
    def stalling(self) -> bool:
        """Whether it does so at present."""

    def begin(self) -> None:
        """Stall from now on, unless it does so already."""

    def end(self) -> None:
        """Wait until it does so no more."""


class HeldLock:
    """Another process holds the write lock of the database."""

    def __init__(self, database: Path) -> None:
        command = [sys.executable, "-m", "tests.bench.hold_lock", str(database), str(STALL_S)]
        self._child = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._until = 0.0

    @property
    def stalling(self) -> bool:
        return time.monotonic() < self._until

    def begin(self) -> None:
        if time.monotonic() >= self._until:
            self.end()
            assert self._child.stdin
            self._child.stdin.write("hold\n")
            self._expect("held")
            self._until = time.monotonic() + STALL_S

    def end(self) -> None:
        if self._until:
            self._expect("over")
            self._until = 0.0

    def close(self) -> None:
        self.end()
        self._child.communicate(timeout=10)

    def _expect(self, word: str) -> None:
        assert self._child.stdout
        assert self._child.stdout.readline().strip() == word


class StalledCalls:
    """Writes and flushes of the process wait while `file` exists."""

    def __init__(self, file: Path) -> None:
        self._file, self._until = file, 0.0

    @property
    def stalling(self) -> bool:
        return time.monotonic() < self._until

    def begin(self) -> None:
        if time.monotonic() >= self._until:
            self.end()
            self._file.touch()
            self._until = time.monotonic() + STALL_S

    def end(self) -> None:
        if self._until:
            time.sleep(max(0.0, self._until - time.monotonic()))
            self._file.unlink()
            self._until = 0.0
            time.sleep(0.05)  # the disk answers for a moment, as disks do


def run() -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as folder, filled_station(Path(folder)) as station:
        database = station.data / "station.db"
        lock = HeldLock(database)
        try:
            with _shown(station.kiosk()) as kiosk:
                figures.append(_figure("its database is locked", kiosk, lock, database))
        finally:
            lock.close()
        library = _library(Path(folder))
        if library is not None:
            file = Path(folder) / "stalled"
            environment = {"LD_PRELOAD": str(library), "STALLING_DISK": str(file)}
            with _shown(station.kiosk(environment=environment)) as kiosk:
                figures.append(_figure("its disk stalls", kiosk, StalledCalls(file), database))
    return figures


@contextmanager
def _shown(kiosk: Kiosk) -> Iterator[Kiosk]:
    try:
        kiosk.wait(name="home.check_in", seconds=60)
        _walk(kiosk, lambda: None)  # what is drawn for the first time takes longer
        yield kiosk
    finally:
        kiosk.close()


def _figure(what: str, kiosk: Kiosk, stall: Stall, database: Path) -> Figure:
    def stalled() -> float:
        stall.begin()
        before = _stored(database)
        kiosk.tap(name="home.hello")
        after = _stored(database)
        assert after == before or not stall.stalling, "the disk did not stall"
        kiosk.tap(name="shell.finish")
        kiosk.wait(name="home.check_in")
        return percentile(_walk(kiosk, stall.begin), 0.95)

    def idle() -> float:
        stall.end()
        return percentile(_walk(kiosk, lambda: None), 0.95)

    slow, free = interleaved(stalled, idle, ROUNDS)
    stall.end()
    detail = (
        f"median of {ROUNDS} rounds of {PASSES * len(SERVICES) * 2} touches, interleaved: "
        f"stalled {slow:.0f} ms, idle {free:.0f} ms"
    )
    return Figure(f"touch to frame p95 while {what} for 2 s ÷ idle", slow / free, "", 1.2, detail=detail)


def _walk(kiosk: Kiosk, before: Callable[[], None]) -> list[float]:
    """Into every service and back; `before` each touch."""
    return [waited for _ in range(PASSES) for waited in _pass(kiosk, before)]


def _pass(kiosk: Kiosk, before: Callable[[], None]) -> list[float]:
    waited = []
    for service in SERVICES:
        before()
        waited.append(kiosk.tap(name=f"home.{service}") or 0.0)
        kiosk.wait(name="shell.finish")
        before()
        waited.append(kiosk.tap(name="shell.finish") or 0.0)
        kiosk.wait(name="home.check_in")
    assert min(waited) > 0, "a touch changed nothing"
    return waited


def _stored(database: Path) -> int:
    """The newest number in the outbox. A reader needs no lock."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as conn:
        return int(conn.execute("SELECT coalesce(max(number), 0) FROM _stream_up").fetchone()[0])


def _library(folder: Path) -> Path | None:
    """The stalling disk, if it can be built here."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    library = folder / "stalling_disk.so"
    source = Path(__file__).with_name("stalling_disk.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(source), "-ldl"], check=True, timeout=60
    )
    return library
