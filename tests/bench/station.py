"""A claimed station with all its content, for the benchmarks of the screen."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosk.testing_ui import Kiosk
from server.demo_content import write_samples
from tests.bench.headquarters import ROOT, headquarters

SIZE = (1080, 1920)


def environment(home: Path) -> dict[str, str]:
    """What a Kivy window without a screen needs."""
    home.mkdir(parents=True, exist_ok=True)
    quiet = {"SDL_VIDEODRIVER": "offscreen", "SDL_AUDIODRIVER": "dummy", "KIVY_NO_ARGS": "1"}
    return {**os.environ, **quiet, "KIVY_HOME": str(home), "KIVY_NO_FILELOG": "1"}


@dataclass(frozen=True)
class FilledStation:
    """A data folder in which a station has everything: claim, content, media."""

    data: Path

    def kiosk(self, supervise: bool = False, environment: dict[str, str] | None = None) -> Kiosk:
        """The station's screen, not yet waited for."""
        return Kiosk(self.data, size=SIZE, home=False, supervise=supervise, environment=environment)

    def cold_start(self) -> float:
        """Seconds from starting the command, supervisor included, until the home screen has taken a touch."""
        began = time.perf_counter()
        kiosk = self.kiosk(supervise=True)
        try:
            kiosk.wait(name="home.check_in", seconds=60)
            kiosk.touch(SIZE[0] / 2, 5)
            return time.perf_counter() - began
        finally:
            kiosk.close()


@contextmanager
def filled_station(folder: Path) -> Iterator[FilledStation]:
    """Claim a station at a headquarters with the sample content, and wait until it has everything.

    Afterwards headquarters is ended, so that only the station's own work is measured.
    """
    hq, data = folder / "headquarters", folder / "station"
    samples = write_samples(ROOT / "assets", folder / "samples")
    _server(hq, "add-office", "legal", "--key-file", str(folder / "legal.key"))
    for collection, file in samples.items():
        _server(hq, "import", collection, str(file))
    said = _server(hq, "add-station", "bench", "--name", "织东路暖心驿站", "--number", "ZL-018")
    code = next(word for word in said.split() if word.isdigit() and len(word) == 8)
    with (
        headquarters(hq) as there,
        Kiosk(data, ("--server", there.address, "--claim", code), size=SIZE) as kiosk,
    ):
        kiosk.wait(text="38", seconds=30)  # the day's new posts: the replica is filled
    yield FilledStation(data)


def _server(hq: Path, command: str, *words: str) -> str:
    line = [sys.executable, "-m", "server", command, "--data", str(hq), *words]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
