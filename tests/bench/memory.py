"""Memory of the kiosk after start and after 200 screen changes, with everything loaded."""

import tempfile
from pathlib import Path

from kiosk.testing_ui import Kiosk
from tests.bench.measure import Figure
from tests.bench.station import filled_station
from tests.bench.touch import SERVICES

CHANGES = 200


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder, filled_station(Path(folder)) as station:
        kiosk = station.kiosk()
        try:
            kiosk.wait(name="home.check_in", seconds=60)
            kiosk.touch(540, 5)
            start = _resident(kiosk.process.pid)
            half = _changed(kiosk, CHANGES // 2)
            after = _changed(kiosk, CHANGES // 2)
        finally:
            kiosk.close()
    detail = f"after {CHANGES} ÷ after {CHANGES // 2}: what stays when every screen has been seen"
    return [
        Figure("memory of the kiosk after start", start, "MiB"),
        Figure(f"memory of the kiosk after {CHANGES} screen changes", after, "MiB"),
        Figure("growth over the second half of them", after / half, "", 1.05, detail=detail),
    ]


def _changed(kiosk: Kiosk, changes: int) -> float:
    """Memory in MiB after so many more screen changes."""
    for number in range(changes // 2):
        kiosk.tap(name=f"home.{SERVICES[number % len(SERVICES)]}")
        kiosk.tap(name="shell.finish")
        kiosk.wait(name="home.check_in")
    return _resident(kiosk.process.pid)


def _resident(pid: int) -> float:
    """Resident memory of a process in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise LookupError("no VmRSS")
