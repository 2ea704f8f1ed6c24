"""Power goes at any moment: what a settled receipt promised is there, and nothing raises a false alarm.

A database that flushes at each commit looks, after a power loss, like its log cut off behind the last flush
or anywhere after it. So the log is cut everywhere.
"""

import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kiosk import tables
from kiosk.database import Database
from kiosk.outbox import Outbox
from kiosk.testing import FrozenClock
from protocol.messages import Event, Loss, decode

HEADER, FRAME = 32, 24 + 4096  # bytes of a log


@dataclass
class Moment:
    """What had been promised when the log had a size, and the tally at that time."""

    size: int
    numbers: int
    tally: bytes


class Record:
    """A station's work, and what was on its disk at the end without a good-bye."""

    def __init__(self, folder: Path) -> None:
        path = folder / "work" / "station.db"
        wal, tally = path.with_name("station.db-wal"), path.with_name("station.db.tally")
        database = Database(path, tables.prepare)
        outbox = Outbox(database, FrozenClock())
        outbox.load().wait()
        database.write(lambda db: db.execute("CREATE TABLE jobs_seen (n)")).wait()
        database.close()
        database = Database(path, tables.prepare)
        outbox = Outbox(database, FrozenClock())
        outbox.load().wait()
        self.moments: list[Moment] = []
        for n in range(1, 25):

            def job(db: Any, n: int = n) -> int:
                event = Event(plugin="jobs", name="seen", d={"n": n, "x": "x" * (n % 5) * 3000})
                db.execute("INSERT INTO jobs_seen VALUES (?)", [n])
                return outbox.append(db, event)

            assert database.write(job).wait().value == n
            if n % 6 == 0:
                outbox.acknowledge(n - 3).wait()
            self.moments.append(Moment(wal.stat().st_size, n, tally.read_bytes()))
        self.path = folder / "left" / "station.db"
        shutil.copytree(path.parent, self.path.parent)
        self.log = wal.read_bytes()
        database.close()

    def cut(self, size: int, filled: bool, folder: Path) -> tuple[Path, int]:
        """The disk with the log cut off at a size, or zeros behind it; and what had been promised by then."""
        folder.mkdir()
        shutil.copy(self.path, folder)
        rest = bytes(len(self.log) - size) if filled else b""
        (folder / "station.db-wal").write_bytes(self.log[:size] + rest)
        before = [moment for moment in self.moments if moment.size <= size]
        # The tally is written after the flush, and nobody flushes it: it may be of any earlier time.
        tally = before[-1].tally if before else self.moments[0].tally[:0]
        (folder / "station.db.tally").write_bytes(tally)
        return folder / "station.db", before[-1].numbers if before else 0


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return Record(tmp_path_factory.mktemp("power"))


def test_the_log_was_not_begun_anew_meanwhile(record: Record) -> None:
    assert record.moments[-1].size == len(record.log)
    assert len(record.log) > HEADER + 60 * FRAME


@pytest.mark.parametrize(
    ("within", "filled"), [(0, False), (1, True), (24, False), (2000, True), (FRAME - 1, False)]
)
def test_what_was_promised_is_there_wherever_the_log_ends(
    record: Record, tmp_path: Path, within: int, filled: bool
) -> None:
    for start in range(HEADER, len(record.log) - within + 1, FRAME):
        folder = tmp_path / "cut"
        path, promised = record.cut(start + within, filled, folder)
        conn = sqlite3.connect(path)
        conn.execute("PRAGMA synchronous = OFF")  # the test's own reading need not survive anything
        numbers = [number for (number,) in conn.execute("SELECT number FROM _stream_up ORDER BY number")]
        also = [number for (number,) in conn.execute("SELECT n FROM jobs_seen ORDER BY n")]
        assert conn.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        conn.close()
        assert numbers == also == list(range(1, len(numbers) + 1))
        assert len(numbers) >= promised
        shutil.rmtree(folder)


def test_no_alarm_is_raised_and_the_stream_goes_on(record: Record, tmp_path: Path) -> None:
    for start in range(HEADER, len(record.log), 7 * FRAME):
        folder = tmp_path / "cut"
        path, promised = record.cut(start + 100, False, folder)
        database = Database(path, tables.prepare)
        outbox = Outbox(database, FrozenClock())
        outbox.load().wait()
        rows = database.read(lambda db: db.execute("SELECT body FROM _stream_up").fetchall()).wait().value
        assert database.damaged is None
        assert not [body for (body,) in rows if isinstance(decode(body), Loss)]
        number = outbox.say(Event(plugin="jobs", name="seen")).wait().value
        assert number == len(rows) + 1 > promised
        database.close()
        shutil.rmtree(folder)


def test_a_promise_that_the_disk_did_not_keep_is_noticed(record: Record, tmp_path: Path) -> None:
    path, _ = record.cut(HEADER + 10 * FRAME, False, tmp_path / "cut")
    path.with_name("station.db.tally").write_bytes(
        record.moments[-1].tally
    )  # the disk said flushed, and lied
    database = Database(path, tables.prepare)
    outbox = Outbox(database, FrozenClock())
    outbox.load().wait()
    rows = database.read(lambda db: db.execute("SELECT number, body FROM _stream_up").fetchall()).wait().value
    found = [(number, said.why) for number, body in rows if isinstance(said := decode(body), Loss)]
    assert found == [(record.moments[-1].numbers + 1, "damaged")]
    database.close()
