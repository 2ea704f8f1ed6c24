"""The writer thread: what is ok is on disk, what raises undoes only itself, what is broken is set aside."""

import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import tables, ui_thread
from kiosk.database import Database
from kiosk.errors import AlreadyRunning, NotStored, StorageFull, WouldBlock


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(tmp_path / "station.db", tables.prepare)
    database.opened.wait()
    database.write(lambda db: db.execute("CREATE TABLE note (text TEXT UNIQUE)")).wait()
    yield database
    database.close()


def put(text: str) -> Any:
    return lambda db: db["note"].insert({"text": text})


def notes(database: Database) -> list[str]:
    return [
        row[0]
        for row in database.read(lambda db: db.execute("SELECT text FROM note").fetchall()).wait().value
    ]


def test_a_raising_job_undoes_only_itself(database: Database) -> None:
    gate = threading.Event()
    database.read(lambda db: gate.wait(10))  # so that the next three share a transaction

    def half(db: Any) -> None:
        put("half")(db)
        raise ZeroDivisionError

    receipts = [database.write(put("a")), database.write(half), database.write(put("b"))]
    gate.set()
    receipts[2].wait()
    assert [each.ok for each in receipts] == [True, False, True]
    assert isinstance(receipts[1].error, ZeroDivisionError)
    assert notes(database) == ["a", "b"]


def test_system_exit_in_a_job_does_not_end_the_writer(database: Database) -> None:
    def leave(db: Any) -> None:
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        database.write(leave).wait()
    assert database.write(put("a")).wait().ok


def test_a_broken_rule_of_the_plugins_own_table_stays_its_own_error(database: Database) -> None:
    database.write(put("a")).wait()
    with pytest.raises(sqlite3.IntegrityError):
        database.write(put("a")).wait()


def test_a_job_that_commits_by_itself_is_refused(database: Database) -> None:
    with pytest.raises(NotStored):
        database.write(lambda db: db.conn.commit()).wait()
    assert database.write(put("a")).wait().ok


def test_a_full_disk_fails_the_receipt_with_a_sentence_and_heals(database: Database) -> None:
    database.write(lambda db: db.conn.execute("PRAGMA max_page_count = 40").fetchall()).wait()

    with pytest.raises(StorageFull) as caught:
        database.write(put("x" * 1_000_000)).wait()
    assert caught.value.key == "core.disk_full"
    database.write(lambda db: db.conn.execute("PRAGMA max_page_count = 100000").fetchall()).wait()
    assert database.write(put("a")).wait().ok
    assert notes(database) == ["a"]


def test_then_runs_on_the_ui_thread_only_after_the_commit(database: Database) -> None:
    seen: list[tuple[bool, int]] = []
    receipt = database.write(put("a")).then(lambda r: seen.append((r.ok, threading.get_ident())))
    receipt.wait()
    assert seen == []
    ui_thread.pump()
    assert seen == [(True, threading.get_ident())]
    receipt.then(lambda r: seen.append((r.ok, 0)))
    ui_thread.pump()
    assert seen[1:] == [(True, 0)]


def test_waiting_on_the_ui_thread_is_refused(database: Database) -> None:
    class Loop:
        def call_soon(self, fn: Any) -> None: ...

        def call_every(self, seconds: float, fn: Any) -> Any: ...

    ui_thread.install(Loop())
    with pytest.raises(WouldBlock):
        database.write(put("a")).wait()


def test_many_small_writes_share_commits(database: Database) -> None:
    commits = []
    database.after_commit(lambda db: commits.append(1))
    gate = threading.Event()
    database.read(lambda db: gate.wait(10))
    receipts = [database.write(put(str(n))) for n in range(400)]
    gate.set()
    receipts[-1].wait()
    assert all(each.ok for each in receipts)
    assert len(commits) <= 3


@pytest.mark.parametrize("where", ["header", "page"])
def test_a_damaged_file_is_set_aside_and_the_station_goes_on(tmp_path: Path, where: str) -> None:
    path = tmp_path / "station.db"
    database = Database(path, tables.prepare)
    database.write(lambda db: db.execute("CREATE TABLE note (text TEXT UNIQUE)")).wait()
    for n in range(200):
        database.write(put(f"{n} " + "x" * 500))
    database.close()
    data = bytearray(path.read_bytes())
    start = 0 if where == "header" else 4096 * 5
    data[start : start + 4096] = b"\xa5" * 4096
    path.write_bytes(data)

    again = Database(path, tables.prepare)
    again.opened.wait()
    assert again.damaged is not None
    assert again.damaged.name.startswith("station.db.damaged-")
    assert again.damaged.read_bytes()[start : start + 4] == b"\xa5" * 4
    assert again.write(lambda db: tables.set_meta(db, "a", 1)).wait().ok
    again.close()


def test_a_second_process_is_told_that_the_file_is_taken(database: Database, tmp_path: Path) -> None:
    second = Database(tmp_path / "station.db", tables.prepare)
    with pytest.raises(AlreadyRunning):
        second.opened.wait()
    second.close()


def test_after_close_writes_fail_and_nothing_hangs(tmp_path: Path) -> None:
    database = Database(tmp_path / "station.db", tables.prepare)
    database.close()
    with pytest.raises(NotStored):
        database.write(lambda db: None).wait()


def test_a_file_that_cannot_be_opened_yet_is_opened_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.database.REOPEN_AFTER", 0.0)
    blocked = tmp_path / "data"
    blocked.write_text("a file where the directory should be")
    database = Database(blocked / "station.db", tables.prepare)
    with pytest.raises(NotStored):
        database.opened.wait()
    with pytest.raises(NotStored):
        database.write(lambda db: None).wait()
    blocked.unlink()
    assert database.write(lambda db: tables.set_meta(db, "a", 1)).wait().ok
    database.close()
