"""Files of all sorts where the database should be, and deaths at any step of replacing one."""

import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import database_file, tables
from kiosk.clock import SystemClock
from kiosk.database import Database
from kiosk.database_file import DatabaseFile
from kiosk.errors import NotStored
from kiosk.outbox import Outbox
from protocol.messages import Event, Loss, decode


class Shop:
    """A database with a stream; `said` are the numbers of its events, `losses` why others are missing."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, tables.prepare)
        self.database.opened.wait()
        self.outbox = Outbox(self.database, SystemClock())
        self.outbox.load().wait()

    def say(self, count: int) -> None:
        for receipt in [self.outbox.say(Event(plugin="jobs", name="seen", d={"n": n})) for n in range(count)]:
            receipt.wait()

    def messages(self) -> dict[int, Any]:
        query = "SELECT number, body FROM _stream_up ORDER BY number"
        rows = self.database.read(lambda db: db.execute(query).fetchall()).wait().value
        return {number: decode(body) for number, body in rows}

    @property
    def said(self) -> list[int]:
        return [number for number, said in self.messages().items() if isinstance(said, Event)]

    @property
    def losses(self) -> list[str]:
        return [said.why for said in self.messages().values() if isinstance(said, Loss)]

    def close(self) -> None:
        self.database.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db"


@pytest.fixture
def open_shop(path: Path) -> Iterator[Callable[[], Shop]]:
    shops: list[Shop] = []

    def open_() -> Shop:
        for each in shops:
            each.close()
        shops.append(Shop(path))
        return shops[-1]

    yield open_
    for each in shops:
        each.close()


def killed(path: Path, count: int) -> None:
    """A station that says something and is killed: its log stays beside the database."""
    code = (
        "import os, signal, sys; from pathlib import Path; from tests.kiosk.test_database_file import Shop\n"
        f"shop = Shop(Path(sys.argv[1])); [shop.say(1) for _ in range({count})]\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], timeout=60, check=False)


def test_a_directory_in_its_place_is_set_aside(path: Path, open_shop: Callable[[], Shop]) -> None:
    (path / "something").mkdir(parents=True)
    shop = open_shop()
    shop.say(1)
    assert shop.database.damaged is not None
    assert (shop.database.damaged / "something").is_dir()


@pytest.mark.parametrize("gone", ["emptied", "deleted"])
def test_a_file_without_content_goes_on_behind_the_last_number_that_was_given(
    path: Path, open_shop: Callable[[], Shop], gone: str
) -> None:
    shop = open_shop()
    shop.say(5)
    shop.close()
    for each in (path, *path.parent.glob("station.db-*")):
        each.write_bytes(b"") if gone == "emptied" else each.unlink()
    again = open_shop()
    assert again.outbox.stream == shop.outbox.stream
    again.say(1)
    assert (again.losses, again.said) == (["damaged"], [7])


def test_an_overwritten_log_loses_its_end_and_the_tally_tells(
    path: Path, open_shop: Callable[[], Shop]
) -> None:
    open_shop().close()
    killed(path, 40)
    wal = path.with_name("station.db-wal")
    data = bytearray(wal.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 100] = bytes(100)
    wal.write_bytes(data)
    shop = open_shop()
    kept = shop.said
    assert shop.database.damaged is None  # SQLite has noticed nothing
    assert kept == list(range(1, len(kept) + 1))
    assert 0 < len(kept) < 40
    assert list(shop.messages()) == [*kept, 41]
    assert shop.losses == ["damaged"]
    assert shop.messages()[41].since == shop.messages()[kept[-1]].at or shop.messages()[41].since > 0
    assert open_shop().losses == ["damaged"]  # said once


@pytest.mark.parametrize("how", ["noise", "cut", "missing"])
def test_a_broken_index_of_the_log_costs_nothing(path: Path, open_shop: Callable[[], Shop], how: str) -> None:
    open_shop().close()
    killed(path, 9)
    shm = path.with_name("station.db-shm")
    match how:
        case "noise":
            shm.write_bytes(os.urandom(32768))
        case "cut":
            shm.write_bytes(b"\0" * 17)
        case _:
            shm.unlink()
    shop = open_shop()
    assert (len(shop.said), shop.losses, shop.database.damaged) == (9, [], None)


def test_what_only_the_log_holds_is_salvaged_too(path: Path, open_shop: Callable[[], Shop]) -> None:
    open_shop().close()
    killed(path, 30)
    data = bytearray(path.read_bytes())
    data[:100] = bytes(100)
    path.write_bytes(data)
    shop = open_shop()
    assert (len(shop.said), shop.losses) == (30, ["damaged"])


def opened_by(user: int, path: Path) -> str:
    """How far a process of this user, without root's powers, comes with a database."""
    # Imported before the user changes, who may not read the interpreter's files.
    import sqlite_utils  # noqa: F401

    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        word = ""
        try:
            os.setgid(user)
            os.setuid(user)
            database = Database(path, tables.prepare)
            database.opened.wait()
            word = "open"
            database.write(lambda db: tables.set_meta(db, "a", 1)).wait()
            word = "stored"
        except NotStored as err:
            word += " " + err.key
        finally:
            os.write(writing, word.encode())
            os._exit(0)
    os.waitpid(child, 0)
    os.close(writing)
    with open(reading) as file:
        return file.read()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_read_only_file_of_ours_is_made_writable_and_a_strange_one_is_read() -> None:
    nobody = 65534
    folder = Path(tempfile.mkdtemp())
    try:
        file = folder / "station.db"
        shop = Shop(file)
        shop.say(1)
        shop.close()
        for each in (folder, *folder.iterdir()):
            os.chown(each, nobody, nobody)
        file.chmod(0o400)
        assert opened_by(nobody, file) == "stored"
        os.chown(file, 0, 0)
        file.chmod(0o444)
        assert opened_by(nobody, file) == "open core.not_stored"
    finally:
        shutil.rmtree(folder)


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[:4096] = b"\xa5" * 4096
    path.write_bytes(data)


class Death(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("step", range(1, 7))
def test_a_death_at_any_step_of_the_replacement_loses_nothing(
    path: Path, open_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    open_shop().close()
    killed(path, 20)
    spoil(path)
    count = 0

    def counted(name: str) -> None:
        right = getattr(Path, name)

        def wrong(self: Path, *args: Any, **kwargs: Any) -> Any:
            nonlocal count
            if self.name.startswith("station.db") and sys._getframe(1).f_globals["__name__"].startswith(
                "kiosk."
            ):
                count += 1
                if count == step:
                    raise Death
            return right(self, *args, **kwargs)

        monkeypatch.setattr(Path, name, wrong)

    for name in ("rename", "replace"):
        counted(name)
    file = DatabaseFile(path, tables.prepare)
    died = False
    try:
        file.open().close()
    except Death:
        died = True
    file.close()
    monkeypatch.undo()
    assert died or count < step
    shop = open_shop()
    assert (len(shop.said), shop.losses) == (20, ["damaged"])
    assert list(path.parent.glob("station.db.damaged-*"))
    assert not path.with_name("station.db.salvaging").exists()


def test_a_suspect_file_is_replaced_even_if_nothing_is_found(
    path: Path, open_shop: Callable[[], Shop]
) -> None:
    open_shop().say(3)
    path.with_name("station.db.suspect").touch()
    shop = open_shop()
    assert (shop.said, shop.losses) == ([1, 2, 3], ["damaged"])
    assert shop.database.damaged is not None
    assert open_shop().database.damaged is None


@pytest.mark.parametrize("byte", range(100))
def test_any_byte_of_the_header_may_be_damaged(path: Path, open_shop: Callable[[], Shop], byte: int) -> None:
    shop = open_shop()
    shop.say(3)
    shop.close()
    with open(path, "r+b") as file:
        file.seek(byte)
        sound = file.read(1)[0]
        file.seek(byte)
        file.write(bytes([sound ^ 0xA5]))
    shop = open_shop()
    assert shop.said == [1, 2, 3]
    shop.say(1)


def test_only_the_newest_damaged_files_are_kept(path: Path, open_shop: Callable[[], Shop]) -> None:
    for n in range(4):
        open_shop().say(1)
        path.with_name("station.db.suspect").touch()
        shop = open_shop()
        assert len(shop.said) == n + 1
    asides = {each.name.removesuffix("-wal").removesuffix("-shm") for each in path.parent.glob("*.damaged-*")}
    assert len(asides) == database_file.ASIDE


def test_tables_that_are_not_those_that_were_made_are_damage(
    path: Path, open_shop: Callable[[], Shop]
) -> None:
    shop = open_shop()
    shop.say(3)
    shop.close()
    data = path.read_bytes()
    assert b"request TEXT" in data  # the words that made the table: for SQLite any others do as well
    path.write_bytes(data.replace(b"request TEXT", b"requisT TEXT"))
    shop = open_shop()
    assert shop.database.damaged is not None
    assert (shop.said, shop.losses) == ([1, 2, 3], ["damaged"])


def test_damage_in_use_asks_for_one_new_start_which_heals(path: Path, open_shop: Callable[[], Shop]) -> None:
    open_shop().say(400)
    shop = open_shop()
    stale: list[int] = []
    shop.database.on_stale(lambda: stale.append(1))
    for pragma in ("cache_size = 0", "shrink_memory"):
        shop.database.read(lambda db, pragma=pragma: db.conn.execute(f"PRAGMA {pragma}").fetchall()).wait()  # type: ignore[misc]
    with open(path, "rb+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096 * (size // 4096 * 3 // 4))
        file.write(b"\xa5" * (size - file.tell()))
    query = "SELECT sum(length(body)) FROM _stream_up"
    for _ in range(3):
        with pytest.raises(NotStored):
            shop.database.read(lambda db: db.execute(query).fetchall()).wait()
    shop.database.read(lambda db: None).wait()
    assert stale == [1]
    again = open_shop()
    assert again.database.damaged is not None
    assert 0 < len(again.said) < 400
    assert again.losses == ["damaged"]
    again.say(1)
    # The new process, too, finds damage: it goes on as it can instead of starting again and again.
    again.database.on_stale(lambda: stale.append(2))

    def broken(db: Any) -> None:
        raise database_file.damage("once more")

    with pytest.raises(NotStored):
        again.database.read(broken).wait()
    again.say(1)
    assert stale == [1]


def sqlite_error(code: int) -> sqlite3.OperationalError:
    err = sqlite3.OperationalError("on purpose")
    err.sqlite_errorcode = code
    return err


@pytest.mark.parametrize(
    "trouble",
    [
        OSError(28, "No space left on device"),
        MemoryError(),
        sqlite_error(sqlite3.SQLITE_IOERR_FSYNC),
        sqlite_error(sqlite3.SQLITE_CANTOPEN),
        sqlite_error(sqlite3.SQLITE_NOMEM),
    ],
    ids=repr,
)
def test_a_machine_that_cannot_salvage_now_costs_nothing(
    path: Path, open_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch, trouble: Exception
) -> None:
    shop = open_shop()
    shop.say(20)
    shop.close()
    spoil(path)
    spoilt = path.read_bytes()

    def refuse(fd: int) -> None:
        raise trouble

    monkeypatch.setattr("os.fsync", refuse)
    file = DatabaseFile(path, tables.prepare)
    with pytest.raises(type(trouble)):
        file.open()
    file.close()
    monkeypatch.undo()
    assert (file.damaged, file.unsalvaged) == (None, True)
    assert path.read_bytes() == spoilt
    shop = open_shop()
    assert (len(shop.said), shop.losses) == (20, ["damaged"])


def test_a_restored_file_beside_the_blueprint_of_another_is_believed(
    path: Path, open_shop: Callable[[], Shop], tmp_path: Path
) -> None:
    def with_tables(file: Path, *names: str) -> None:
        shop = Shop(file)
        shop.say(3)
        for name in names:
            shop.database.write(
                lambda db, name=name: [  # type: ignore[misc]
                    db.execute(f"CREATE TABLE {name} (n INTEGER PRIMARY KEY, of TEXT)"),
                    db.execute(f"INSERT INTO {name} VALUES (1, '{name}')"),
                ]
            ).wait()
        shop.close()

    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "station.db"
    with_tables(path, "jobs_seen", "legal_note")
    with_tables(other, "legal_note", "jobs_seen")
    shutil.copy(other, path)  # as many changes, in another order
    shop = open_shop()
    assert (shop.database.damaged, shop.said) == (None, [1, 2, 3])
    shop.close()
    # Salvaged beside such a blueprint, each table has its own rows.
    with_tables(tmp_path / "third" / "station.db", "jobs_seen", "legal_note")
    shutil.copy(tmp_path / "third" / "station.db.blueprint", path.with_name("station.db.blueprint"))
    path.with_name("station.db.suspect").touch()
    shop = open_shop()
    assert shop.database.damaged is not None
    for name in ("jobs_seen", "legal_note"):
        query = f"SELECT of FROM {name}"
        assert shop.database.read(lambda db, q=query: db.execute(q).fetchall()).wait().value == [(name,)]  # type: ignore[misc]


def aside(path: Path, days: float) -> Path:
    stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(time.time() - days * 86400))
    file = path.with_name(f"station.db.damaged-{stamp}")
    for suffix in ("", "-wal", "-shm"):
        file.with_name(file.name + suffix).write_bytes(b"sealed")
    return file


def test_what_was_set_aside_is_deleted_after_a_week_also_while_the_station_runs(
    path: Path, open_shop: Callable[[], Shop], monkeypatch: pytest.MonkeyPatch
) -> None:
    old, young = aside(path, 7.1), aside(path, 6.9)
    orphan = aside(path, 8)
    orphan.unlink()  # its log stays if the process dies in between
    shop = open_shop()
    left = {each.name for each in path.parent.glob("*.damaged-*")}
    assert left == {young.name + suffix for suffix in ("", "-wal", "-shm")}
    old = aside(path, 7.1)
    monkeypatch.setattr("kiosk.database.TIDY_EVERY", -1.0)
    shop.say(1)
    shop.database.read(lambda db: None).wait()
    assert not old.exists()
    assert young.exists()


def test_nobody_else_may_read_what_is_said_here(path: Path, open_shop: Callable[[], Shop]) -> None:
    before = os.umask(0o022)
    try:
        open_shop().say(1)
        path.chmod(0o644)  # as earlier releases left it
        path.with_name("station.db.blueprint").chmod(0o644)
        path.with_name("station.db.suspect").touch()  # and it is made anew
        open_shop().say(1)
        modes = {
            each.name: oct(stat.S_IMODE(each.stat().st_mode))
            for each in path.parent.iterdir()
            if each.suffix != ".suspect"
        }
    finally:
        os.umask(before)
    assert "station.db-wal" in modes
    assert {name: mode for name, mode in modes.items() if mode != "0o600"} == {}


def test_the_station_makes_its_files_for_itself_alone(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from kiosk import __main__

    monkeypatch.setattr(__main__, "_supervise", lambda options, arguments: 0)
    before = os.umask(0o022)
    try:
        assert __main__.main(["--data", str(path.parent)]) == 0
    finally:
        chosen = os.umask(before)
    assert chosen == 0o077
