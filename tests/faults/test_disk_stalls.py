"""The screen while the station's disk does not answer: another process holds the database for two seconds."""

import sqlite3
import statistics
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from kiosk.testing_ui import Kiosk
from tests.journeys.site import until

pytestmark = pytest.mark.window

STALL = 2.0  # s
SLOWER = 2.0  # times the median of an idle disk; what it costs exactly is for the bench on a quiet machine
LEAST = 60.0  # ms that any touch may take on a busy machine


@contextmanager
def stalled(database: Path) -> Iterator[threading.Event]:
    """Hold the database for STALL seconds; the event is set when it is let go."""
    conn = sqlite3.connect(database, isolation_level=None, check_same_thread=False)
    conn.execute("BEGIN IMMEDIATE")
    over = threading.Event()

    def let_go() -> None:
        conn.execute("ROLLBACK")
        over.set()

    timer = threading.Timer(STALL, let_go)
    timer.start()
    try:
        yield over
    finally:
        timer.join()
        conn.close()


def walk(kiosk: Kiosk) -> list[float]:
    """Into a service and back, twice: how long the finger waited each time, in ms."""
    waited = []
    for name in ("home.hello", "shell.finish", "home.jobs", "shell.finish"):
        waited.append(kiosk.tap(name=name) or 0.0)
    return waited


def stored(database: Path) -> int:
    """How many check-ins are on disk."""
    with closing(sqlite3.connect(database)) as conn:
        said = "SELECT count(*) FROM _stream_up WHERE CAST(body AS TEXT) LIKE '%\"checked_in\"%'"
        return int(conn.execute(said).fetchone()[0])


def test_touches_draw_while_the_disk_stalls_and_done_is_said_only_after_it(tmp_path: Path) -> None:
    database = tmp_path / "station.db"
    with Kiosk(tmp_path, size=(540, 960)) as kiosk:
        walk(kiosk)  # what is drawn for the first time takes longer
        idle = walk(kiosk) + walk(kiosk)
        kiosk.tap(name="home.check_in")
        with stalled(database) as over:
            tapped = [kiosk.tap(name="check_in.courier") or 0.0]
            assert stored(database) == 0
            assert "签好了" not in kiosk.texts()
            tapped.append(kiosk.tap(name="shell.finish") or 0.0)
            tapped += walk(kiosk)
            assert not over.is_set(), "the touches waited for the disk"
        until(lambda: stored(database) == 1)
        log = kiosk.errors()
    assert min(tapped) > 0, "a touch drew nothing"
    assert statistics.median(tapped) <= max(LEAST, SLOWER * statistics.median(idle)), (idle, tapped)
    assert "Traceback" not in log
