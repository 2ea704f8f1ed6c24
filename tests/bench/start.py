"""Cold start of the kiosk to a touchable home screen, against a blank Kivy window."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.headquarters import ROOT
from tests.bench.measure import Figure, interleaved
from tests.bench.station import environment, filled_station

ROUNDS = 7


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, filled_station(Path(folder)) as station:
        ours, blank = interleaved(station.cold_start, lambda: _blank(Path(folder)), ROUNDS)
    detail = f"median of {ROUNDS}, interleaved, from process start: kiosk {ours:.2f} s, blank {blank:.2f} s"
    return [Figure("cold start to touchable home ÷ blank Kivy window", ours / blank, "", 2.0, detail=detail)]


def _blank(folder: Path) -> float:
    began = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.blank_window"],
        cwd=ROOT,
        env=environment(folder / "blank"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert child.stdout is not None
    with child.stdout:
        line = child.stdout.readline()
    seconds = time.perf_counter() - began
    child.wait(30)
    assert line == b"shown\n", "the blank window did not come up"
    return seconds
