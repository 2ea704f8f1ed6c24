"""From a touch to changed pixels, with all services loaded, offscreen at 1080×1920.

The driver's stopwatch starts when the touch enters Kivy's input path and stops when the first frame drawn
after it is finished (glFinish), not merely queued.
"""

import tempfile
from pathlib import Path

from tests.bench.measure import Figure, percentile
from tests.bench.station import filled_station

ROUNDS = 12
SERVICES = ("check_in", "jobs", "legal_aid", "broadcast", "hello")


def run() -> list[Figure]:
    opening: list[float] = []
    closing: list[float] = []
    with tempfile.TemporaryDirectory() as folder, filled_station(Path(folder)) as station:
        kiosk = station.kiosk()
        try:
            kiosk.wait(name="home.check_in", seconds=60)
            for _ in range(ROUNDS):
                for service in SERVICES:
                    opening.append(kiosk.tap(name=f"home.{service}") or 0.0)
                    kiosk.wait(name="shell.finish")
                    closing.append(kiosk.tap(name="shell.finish") or 0.0)
                    kiosk.wait(name="home.check_in")
        finally:
            kiosk.close()
    every = opening + closing
    assert min(every) > 0, "a touch changed nothing"
    detail = (
        f"{len(every)} touches that open or leave a service; median {percentile(every, 0.5):.0f} ms, "
        f"opening p95 {percentile(opening, 0.95):.0f} ms, leaving p95 {percentile(closing, 0.95):.0f} ms"
    )
    return [Figure("touch to changed pixels, p95", percentile(every, 0.95), "ms", detail=detail)]
