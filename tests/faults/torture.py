"""Runs rows of the matrix one after the other; those that allow it share one town."""

import random
import time
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.faults.registry import Fault, Skipped
from tests.faults.report import Report
from tests.faults.town import Town


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
        began = time.monotonic()
        rng = random.Random(f"{self.seed} {fault.name}")
        with ExitStack() as ends:
            try:
                if fault.own is not None:
                    town = ends.enter_context(Town(rng.randrange(2**32), fault.own, self._folder(fault.name)))
                else:
                    town = self._shared()
                report = fault.run(town, seconds, rng)
            except Skipped as err:
                report = Report(fault.name, skipped=str(err))
            except Exception as err:  # noqa: BLE001 - the other rows still have to run
                report = Report(
                    fault.name, problems=[f"{type(err).__name__}: {err}".replace("\n", " / ")[:2000]]
                )
                self._leave()
        report.name, report.seconds = fault.name, round(time.monotonic() - began, 1)
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
