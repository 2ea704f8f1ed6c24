"""The writer thread: what is ok is on disk, what raises undoes only itself, what is broken is set aside."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import tables, ui_thread
from kiosk.database import Database
from kiosk.errors import AlreadyRunning, NotStored, SharedTransaction, StorageFull, WouldBlock


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


def with_connection(db: Any) -> None:
    with db.conn:
        put("mine")(db)


ENDINGS: dict[str, Callable[[Any], object]] = {
    "commit": lambda db: db.conn.commit(),
    "rollback": lambda db: db.conn.rollback(),
    "in words": lambda db: db.execute("COMMIT"),
    "with": with_connection,
    "script": lambda db: db.conn.executescript("SELECT 1"),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_job_that_ends_the_transaction_undoes_only_itself(database: Database, ending: str) -> None:
    lost: list[int] = []
    database.on_lost(lambda count, age: lost.append(count))
    gate = threading.Event()
    database.read(lambda db: gate.wait(10))  # so that the next three share a transaction
    before = database.write(put("before"), says=1)
    job = database.write(lambda db: [put("of the job")(db), ENDINGS[ending](db)], says=1)
    after = database.write(put("after"), says=1)
    gate.set()
    with pytest.raises(SharedTransaction):
        job.wait()
    assert (before.wait().ok, after.wait().ok) == (True, True)
    assert notes(database) == ["before", "after"]
    assert lost == []  # the disk has refused nothing


def test_a_flush_at_every_commit_is_asked_for(database: Database) -> None:
    def modes(db: Any) -> list[Any]:
        return [
            db.conn.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("synchronous", "journal_mode", "secure_delete")
        ]

    assert database.read(modes).wait().value == [2, "wal", 1]  # 2 is FULL


def test_what_is_committed_is_ok_even_if_the_writers_next_step_fails(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = threading.Event()
    database.on_stale(stale.set)
    lost: list[int] = []
    database.on_lost(lambda count, age: lost.append(count))

    def fails(conn: Any) -> None:
        raise RuntimeError("nobody has foreseen this")

    monkeypatch.setattr(database._writer.file, "note", fails)
    assert database.write(put("a"), says=1).wait(10).ok
    assert stale.wait(10)
    monkeypatch.undo()
    assert database.write(put("b")).wait(10).ok
    assert notes(database) == ["a", "b"]
    assert lost == []


def test_a_writer_that_fails_before_the_commit_settles_every_receipt_and_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    stale, lost = threading.Event(), []
    database.on_stale(stale.set)
    database.on_lost(lambda count, age: lost.append(count))

    def fails(db: Any, fn: Any) -> None:
        raise RuntimeError("nobody has foreseen this")

    gate = threading.Event()
    database.read(lambda db: gate.wait(10))
    monkeypatch.setattr(database._writer, "_run_job", fails)
    receipts = [database.write(put(text), says=1) for text in "ab"]
    gate.set()
    for each in receipts:
        with pytest.raises(NotStored):
            each.wait(10)
    assert stale.wait(10)
    monkeypatch.undo()
    assert database.write(put("c")).wait(10).ok
    assert (notes(database), lost) == (["c"], [2])


def test_a_writer_without_memory_gives_the_process_up(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_up = threading.Event()
    monkeypatch.setattr("kiosk.memory.give_up", given_up.set)

    def fails(conn: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(database._writer.file, "note", fails)
    database.write(put("a"))
    assert given_up.wait(10)


def test_losses_are_as_old_as_the_oldest_job_in_the_queue(database: Database) -> None:
    lost: list[tuple[int, int]] = []
    database.on_lost(lambda count, age: lost.append((count, age)))
    gate, begun = threading.Event(), time.monotonic()
    database.read(lambda db: gate.wait(10))
    err = sqlite3.OperationalError("full")
    err.sqlite_errorcode = sqlite3.SQLITE_FULL

    def full(db: Any) -> None:
        raise err

    receipts = [database.write(full, says=2), database.write(full, says=1)]
    threading.Timer(0.2, gate.set).start()
    for each in receipts:
        with pytest.raises(StorageFull):
            each.wait()
    ((count, age),) = lost
    assert count == 3
    assert 190 <= age <= (time.monotonic() - begun) * 1000 + 1


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
