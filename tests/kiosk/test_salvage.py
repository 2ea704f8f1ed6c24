"""Whatever happens to the bytes of the database: the station starts, and what it says was once stored."""

import random
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk import tables
from kiosk.clock import SystemClock
from kiosk.content import Content
from kiosk.database import Database
from kiosk.inbox import Inbox
from kiosk.migrations import Migrations
from kiosk.outbox import Outbox
from kiosk.settings import Settings
from protocol.messages import Event, Loss, Request, decode
from protocol.stream import Acceptance

PAGE = 4096
#: How a file is spoilt: what was written comes back or not, but nothing else does.
Damage = Callable[[bytearray], object]
#: Run and body of each message by its number.
Stream = dict[int, tuple[str, bytes]]


def booking_tables(db: Any) -> None:
    """A plugin's own tables, made by steps that fail if they are taken twice."""
    steps = Migrations("legal")

    @steps()
    def first(db: Any) -> None:
        db.execute("CREATE TABLE legal_booking (code TEXT PRIMARY KEY, day INTEGER) WITHOUT ROWID")
        db.execute("CREATE TABLE legal_note (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")

    @steps()
    def second(db: Any) -> None:
        db.execute("ALTER TABLE legal_note ADD COLUMN kind TEXT NOT NULL DEFAULT 'plain'")
        db.execute("CREATE INDEX legal_note_kind ON legal_note (kind)")

    steps.apply(db)


class Station:
    """The parts of a station that read the database at its start."""

    def __init__(self, path: Path) -> None:
        self.database = Database(path, tables.prepare)
        self.database.opened.wait()
        clock = SystemClock()
        self.outbox, self.inbox = Outbox(self.database, clock), Inbox(self.database, clock)
        self.outbox.load().wait()
        self.letters = self.inbox.load().wait().value
        for each in (Settings(self.database), Content(self.database)):
            each.load().wait()

    def rows(self, sql: str) -> list[Any]:
        return self.database.read(lambda db: db.execute(sql).fetchall()).wait().value

    def stream(self) -> Stream:
        """Run and body by number."""
        found = self.rows("SELECT number, run, body FROM _stream_up")
        return {number: (run, body) for number, run, body in found}

    def losses(self) -> list[tuple[str, int]]:
        said = [decode(body) for _, body in self.stream().values()]
        return [(each.why, each.n) for each in said if isinstance(each, Loss)]

    def close(self) -> None:
        self.database.close()


def fill(path: Path, count: int = 600) -> Stream:
    """A station's database with something in every table; its stream."""
    station = Station(path)
    outbox, database = station.outbox, station.database
    said: list[Event | Request] = [
        Event(plugin="jobs", name="seen", d={"n": n, "text": "x" * (n % 300)}) for n in range(count)
    ]
    said[50::50] = [
        Request(id=f"r{n}", plugin="legal", name="book", service="booking", d={"sealed": "s" * 9000})
        for n in range(len(said[50::50]))
    ]
    database.write(lambda db: [outbox.append(db, each) for each in said]).wait()
    outbox.acknowledge(count // 3).wait()
    station.inbox.store("down-1", Acceptance(0, 2), [b'{"t":"poke"}'] * 2, "hq-run")

    def others(db: Any) -> None:
        booking_tables(db)
        db.conn.executemany("INSERT INTO legal_booking VALUES (?, ?)", [(f"{n:05}", n) for n in range(300)])
        db.conn.executemany("INSERT INTO legal_note (text) VALUES (?)", [(f"note {n}",) for n in range(300)])
        db.conn.executemany(
            "INSERT INTO _content VALUES ('jobs.posts', ?, ?)", [(str(n), b"{}") for n in range(300)]
        )
        db.execute("INSERT INTO _setting VALUES ('jobs', 'hours', '12')")

    # Steps take transactions of their own.
    database.close()
    conn = sqlite3.connect(path, isolation_level=None)
    from kiosk.handle import Handle

    handle: Any = Handle(conn)
    booking_tables(handle)
    conn.execute("BEGIN")
    others(handle)
    conn.execute("COMMIT")
    conn.close()
    station = Station(path)
    written = station.stream()
    station.close()
    return written


@dataclass(repr=False)
class Filled:
    """A folder with a full database, and the runs and bodies of its stream by number."""

    folder: Path
    stream: Stream

    def copy(self, to: Path, without: tuple[str, ...] = ()) -> Path:
        """The database, copied into another folder, without those files beside it."""
        for each in self.folder.iterdir():
            if not any(each.name.endswith(ending) for ending in without):
                shutil.copy(each, to / each.name)
        return to / "station.db"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    path = tmp_path_factory.mktemp("filled") / "station.db"
    return Filled(path.parent, fill(path))


@pytest.fixture
def spoil(filled: Filled, tmp_path: Path) -> Iterator[Callable[..., Station]]:
    """Start a station on a copy whose file was damaged, perhaps without what lies beside it."""
    stations: list[Station] = []

    def start(damage: Damage, without: tuple[str, ...] = ()) -> Station:
        file = filled.copy(tmp_path, without)
        data = bytearray(file.read_bytes())
        damage(data)
        file.write_bytes(data)
        stations.append(Station(file))
        return stations[-1]

    yield start
    for each in stations:
        each.close()


def overwrite(start: int, size: int = PAGE) -> Damage:
    def damage(data: bytearray) -> None:
        data[start : start + size] = b"\xa5" * size

    return damage


def root(folder: Path, table: str) -> int:
    """Where the first page of a table begins."""
    conn = sqlite3.connect(folder / "station.db")
    page = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table]).fetchone()[0]
    conn.close()
    return (int(page) - 1) * PAGE


@pytest.mark.parametrize("size", [100, PAGE], ids=["header", "first page"])
def test_without_its_beginning_all_comes_back_and_no_step_is_taken_twice(
    filled: Filled, spoil: Callable[..., Station], size: int
) -> None:
    station = spoil(overwrite(0, size))
    stream = station.stream()
    assert {number: stream[number] for number in filled.stream} == filled.stream
    assert station.losses() == [("damaged", 0)]
    assert max(stream) == max(filled.stream) + 1
    assert station.outbox.acked == 200
    assert (station.inbox.newest, station.inbox.upto("down-1"), len(station.letters)) == ("down-1", 2, 2)
    assert station.rows("SELECT count(*), sum(day) FROM legal_booking") == [(300, sum(range(300)))]
    assert station.rows("SELECT count(*), min(kind) FROM legal_note") == [(300, "plain")]
    assert station.rows("SELECT count(*) FROM _content") == [(300,)]
    assert station.rows("SELECT value FROM _setting") == [("12",)]
    assert station.rows("PRAGMA integrity_check") == [("ok",)]
    station.database.write(booking_tables).wait()
    assert station.database.damaged is not None


def test_a_lost_root_of_the_stream_costs_none_of_its_rows(
    filled: Filled, spoil: Callable[..., Station]
) -> None:
    station = spoil(overwrite(root(filled.folder, "_stream_up")))
    stream = station.stream()
    assert {number: stream[number] for number in filled.stream} == filled.stream


def test_a_lost_list_of_steps_is_read_from_the_blueprint(
    filled: Filled, spoil: Callable[..., Station]
) -> None:
    station = spoil(overwrite(root(filled.folder, "_sqlite_migrations")))
    station.database.write(booking_tables).wait()
    assert station.rows("SELECT count(*) FROM legal_booking") == [(300,)]


def test_without_blueprint_and_list_of_steps_the_plugins_begin_anew(
    filled: Filled, spoil: Callable[..., Station]
) -> None:
    station = spoil(overwrite(root(filled.folder, "_sqlite_migrations")), without=(".blueprint",))
    assert len(station.stream()) == len(filled.stream) + 1
    assert station.rows("SELECT name FROM sqlite_master WHERE name LIKE 'legal%'") == []
    station.database.write(booking_tables).wait()


def test_a_lost_leaf_leaves_a_hole_and_the_stream_goes_on_behind_it(
    filled: Filled, spoil: Callable[..., Station]
) -> None:
    def damage(data: bytearray) -> None:
        at = bytes(data).index(filled.stream[311][1])
        data[at - at % PAGE : at - at % PAGE + PAGE] = bytes(PAGE)

    station = spoil(damage)
    stream = station.stream()
    gone = set(filled.stream) - set(stream)
    assert 311 in gone
    assert len(gone) < 100
    assert {number: stream[number] for number in filled.stream if number not in gone} == {
        number: row for number, row in filled.stream.items() if number not in gone
    }
    assert max(stream) == max(filled.stream) + 1
    asked = min(gone)
    found = station.outbox.stretch(asked, 250, 64_000).wait().value
    assert found is not None
    assert (found.first, found.lowest) == (max(gone) + 1, False)


def test_with_nothing_left_the_tally_names_the_stream_and_its_number(
    filled: Filled, spoil: Callable[..., Station]
) -> None:
    station = spoil(lambda data: data.__setitem__(slice(None), b"\xa5" * len(data)))
    last = max(filled.stream)
    assert list(station.stream()) == [last + 1]
    assert station.losses() == [("damaged", 0)]
    (loss,) = (decode(body) for _, body in station.stream().values())
    assert isinstance(loss, Loss)
    acked_at = station.outbox.tally.facts.acked_at
    assert 0 < acked_at <= loss.since < loss.until
    assert (station.outbox.acked, station.outbox.last) == (200, last + 1)


def test_with_nothing_left_and_no_tally_a_new_stream_begins(spoil: Callable[..., Station]) -> None:
    station = spoil(lambda data: data.__setitem__(slice(None), b"\xa5" * len(data)), without=(".tally",))
    assert station.losses() == [("damaged", 0)]
    assert (station.outbox.acked, station.outbox.last) == (0, 1)


def test_a_row_that_is_not_what_was_stored_is_not_sent_but_replaced_at_the_next_start(
    filled: Filled, spoil: Callable[..., Station], tmp_path: Path
) -> None:
    def flip(data: bytearray) -> None:
        at = (
            bytes(data).index(filled.stream[311][1]) + 20
        )  # within a name: still good JSON, and no longer true
        data[at] ^= 1

    station = spoil(flip)
    stale: list[int] = []
    station.database.on_stale(lambda: stale.append(1))
    assert station.database.damaged is None  # SQLite sees nothing wrong
    receipt = station.outbox.stretch(311, 10, 64_000)
    with pytest.raises(Exception, match="not what was stored"):
        receipt.wait()
    station.database.read(lambda db: None).wait()
    assert stale == [1]
    station.close()
    again = Station(tmp_path / "station.db")
    stream = again.stream()
    assert set(filled.stream) - set(stream) == {311}
    assert again.losses() == [("damaged", 0)]
    again.close()


def test_twenty_thousand_messages_are_back_soon(tmp_path: Path) -> None:
    path = tmp_path / "station.db"
    fill(path, 20_000)
    data = bytearray(path.read_bytes())
    overwrite(0)(data)
    path.write_bytes(data)
    begun = time.process_time()
    station = Station(path)
    taken = time.process_time() - begun
    assert len(station.stream()) == 20_001
    station.close()
    assert taken < 6  # s of processor time, on a slow machine; the screen needs some of its 10 s as well


def bytes_of(data: bytearray, at: int, noise: random.Random) -> None:
    size = noise.randint(1, 64)
    data[at : at + size] = noise.randbytes(len(data[at : at + size]))


def page_of(data: bytearray, at: int, noise: random.Random) -> None:
    at -= at % PAGE
    data[at : at + PAGE] = noise.randbytes(len(data[at : at + PAGE]))


def zeros(data: bytearray, at: int, noise: random.Random) -> None:
    at -= at % 512
    data[at : at + 512] = bytes(len(data[at : at + 512]))


def another_page(data: bytearray, at: int, noise: random.Random) -> None:
    at -= at % PAGE
    other = noise.randrange(max(1, len(data) // PAGE)) * PAGE
    data[at : at + PAGE] = data[other : other + PAGE].ljust(len(data[at : at + PAGE]), b"\0")


def cut(data: bytearray, at: int, noise: random.Random) -> None:
    del data[max(at, 1) :]


@settings(max_examples=20, deadline=None)
@given(
    hits=st.lists(
        st.tuples(st.sampled_from([bytes_of, page_of, zeros, another_page, cut]), st.floats(0, 0.999)),
        min_size=1,
        max_size=6,
    ),
    seed=st.integers(0, 2**32),
    without=st.sampled_from([(), (".tally",), (".blueprint",), (".tally", ".blueprint")]),
)
def test_after_any_damage_the_station_starts_and_every_row_is_one_that_was_written(
    filled: Filled,
    hits: list[tuple[Callable[[bytearray, int, random.Random], None], float]],
    seed: int,
    without: tuple[str, ...],
) -> None:
    with TemporaryDirectory() as folder:
        file = filled.copy(Path(folder), without)
        data, noise = bytearray(file.read_bytes()), random.Random(seed)
        for hit, place in hits:
            hit(data, int(place * len(data)), noise)
        file.write_bytes(data)
        station = Station(file)
        try:
            salvaged = station.database.damaged is not None
            for number, (run, body) in station.stream().items():
                if run == station.outbox.run_id:
                    assert isinstance(decode(body), Loss)
                elif salvaged:
                    assert filled.stream.get(number) == (run, body)
            if salvaged:
                assert station.rows("PRAGMA integrity_check") == [("ok",)]
                assert station.losses() == [("damaged", 0)]
            assert station.outbox.say(Event(plugin="jobs", name="seen")).wait().ok
        finally:
            station.close()
        again = Station(file)
        assert again.database.damaged is None
        again.close()
