"""Runs rows of the matrix: those that share a town one after the other, the others beside them."""

import json
import os
import queue
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.faults.registry import Fault, Skipped
from tests.faults.report import Report
from tests.faults.town import Town

ROOT: Final = Path(__file__).resolve().parent.parent.parent


def side_by_side(
    faults: Sequence[Fault], seconds: float, seed: int, keep: Path | None = None
) -> Iterator[Report]:
    """Every row's report as it comes: two towns at a time, each in a process of its own.

    Both columns have about so many seconds. Ends its children when it is closed.
    """
    columns = [[each.name for each in faults if bool(each.own) is own] for own in (False, True)]
    said: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
    children = [_column(names, seconds, seed, keep) for names in columns if names]
    for child in children:
        threading.Thread(target=_listen, args=(child, said), daemon=True).start()
    left, missing = len(children), {each.name for each in faults}
    try:
        while left:
            report = said.get()
            if report is None:
                left -= 1
            else:
                missing.discard(report.name)
                yield report
    finally:
        for child in children:
            child.terminate()
            child.wait(60)
    for name in sorted(missing):
        yield Report(name, problems=["the harness has ended before"])


def _column(names: Sequence[str], seconds: float, seed: int, keep: Path | None) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.faults.column", f"--seed={seed}", f"--seconds={seconds}"]
    command += [f"--keep={keep}"] if keep else []
    return subprocess.Popen(
        [*command, *names], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )


def _listen(child: "subprocess.Popen[str]", said: "queue.SimpleQueue[Report | None]") -> None:
    assert child.stdout is not None
    try:
        with child.stdout:
            for line in child.stdout:
                said.put(Report.read(json.loads(line)))
    finally:
        said.put(None)


def _processor_seconds() -> float:
    """What this process and its children that have ended have used."""
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


class Torture:
    """Use as a context manager. Each row has a random generator of its own, whatever runs before it.

    `keep` is a folder in which the towns are left behind.
    """

    def __init__(self, seed: int, keep: Path | None = None) -> None:
        self.seed, self._keep = seed, keep
        self._town: Town | None = None
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()

    def run(self, fault: Fault, seconds: float) -> Report:
        """Inject one fault, for so many seconds at least; what breaks in the harness is a problem too."""
        began, busy = time.monotonic(), _processor_seconds()
        rng = random.Random(f"{self.seed} {fault.name}")
        with ExitStack() as ends:
            try:
                if fault.own is not None:
                    town = ends.enter_context(Town(rng.randrange(2**32), fault.own, self._folder(fault.name)))
                else:
                    town = self._shared()
                town.thorough = seconds > 0
                report = fault.run(town, seconds, rng)
            except Skipped as err:
                report = Report(fault.name, skipped=str(err))
            except Exception as err:  # noqa: BLE001 - the other rows still have to run
                report = Report(
                    fault.name, problems=[f"{type(err).__name__}: {err}".replace("\n", " / ")[:2000]]
                )
                if fault.own is None:
                    self._leave()
        report.name, report.seconds = fault.name, round(time.monotonic() - began, 1)
        report.measured["cpu_s"] = round(_processor_seconds() - busy, 1)
        return report

    def _shared(self) -> Town:
        if self._town is None:
            seed = random.Random(f"{self.seed} town").randrange(2**32)
            self._town = Town(seed, folder=self._folder("town")).__enter__()
        return self._town

    def _folder(self, name: str) -> Path | None:
        """Where a town stays to be looked at, if anybody wants to."""
        if self._keep is None:
            return None
        self._count += 1
        folder = self._keep / f"{self._count:02}-{name}"
        folder.mkdir(parents=True)
        return folder

    def _leave(self) -> None:
        town, self._town = self._town, None
        if town is not None:
            town.__exit__(None, None, None)
