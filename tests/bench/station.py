"""A claimed station with all its content, for the benchmarks of the screen."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kiosk.testing_ui import Kiosk
from server.broker import free_port
from server.demo_content import write_samples

ROOT = Path(__file__).resolve().parent.parent.parent
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

    def kiosk(self, supervise: bool = False) -> Kiosk:
        """The station's screen, not yet waited for."""
        return Kiosk(self.data, size=SIZE, home=False, supervise=supervise)

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
    hq, data, port = folder / "headquarters", folder / "station", free_port("127.0.0.1")
    samples = write_samples(ROOT / "assets", folder / "samples")
    _server(hq, "add-office", "legal", "--key-file", str(folder / "legal.key"))
    for collection, file in samples.items():
        _server(hq, "import", collection, str(file))
    said = _server(hq, "add-station", "bench", "--name", "织东路暖心驿站", "--number", "ZL-018")
    code = next(word for word in said.split() if word.isdigit() and len(word) == 8)
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "server", "run", "--data", str(hq)]
    command += ["--http-port", str(port), "--mqtt-port", str(free_port("127.0.0.1"))]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _answer(address)
        with Kiosk(data, ("--server", address, "--claim", code), size=SIZE) as kiosk:
            kiosk.wait(text="38", seconds=30)  # the day's new posts: the replica is filled
    finally:
        server.terminate()
        server.wait(30)
    yield FilledStation(data)


def _server(hq: Path, command: str, *words: str) -> str:
    line = [sys.executable, "-m", "server", command, "--data", str(hq), *words]
    return subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def _answer(address: str) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=2).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError("headquarters did not start")
