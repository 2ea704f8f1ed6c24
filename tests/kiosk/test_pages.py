"""The reader of pages agrees with SQLite about every row of every kind of table."""

import random
import sqlite3
import string
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.pages import Image, Unreadable

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=40),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=40),
    st.integers(100, 20_000).map(lambda size: b"\x07" * size),
)


def root(conn: sqlite3.Connection, name: str = "t") -> int:
    page = conn.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [name]).fetchone()[0]
    return int(page)


def typed(rows: Any) -> list[Any]:
    """Rows that differ if only a type differs; a whole float is stored as an integer."""
    return sorted(
        repr([int(v) if isinstance(v, float) and v.is_integer() and abs(v) < 2**47 else v for v in row])
        for row in rows
    )


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(st.tuples(VALUES, VALUES), max_size=60),
    size=st.sampled_from([512, 1024, 4096, 65536]),
    logged=st.booleans(),
)
def test_every_row_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, Any]], size: int, logged: bool
) -> None:
    path = tmp_path_factory.mktemp("pages") / "x.db"
    conn = sqlite3.connect(path)
    conn.execute(f"PRAGMA page_size = {size}")
    conn.execute("PRAGMA synchronous = OFF")
    conn.execute(f"PRAGMA journal_mode = {'WAL' if logged else 'DELETE'}")
    conn.execute("CREATE TABLE t (a, b)")
    conn.executemany("INSERT INTO t VALUES (?, ?)", rows)
    conn.commit()
    found = list(Image(path, size).rows(root(conn), set()))
    assert [rowid for rowid, _ in found] == list(range(len(rows), 0, -1))
    assert typed(values for _, values in found) == typed(rows)
    conn.close()


@pytest.mark.parametrize("size", [512, 4096])
def test_tables_without_rowids_are_read_from_all_their_levels(tmp_path: Path, size: int) -> None:
    noise = random.Random(3)
    conn = sqlite3.connect(tmp_path / "x.db")
    conn.execute(f"PRAGMA page_size = {size}")
    conn.execute("CREATE TABLE t (key TEXT PRIMARY KEY, body BLOB) WITHOUT ROWID")
    rows = [
        ("".join(noise.choices(string.ascii_letters, k=12)), noise.randbytes(noise.choice([3, 90, 3000])))
        for _ in range(900)
    ]
    conn.executemany("INSERT INTO t VALUES (?, ?)", rows)
    conn.execute("DELETE FROM t WHERE key < 'M'")
    conn.commit()
    left = conn.execute("SELECT key, body FROM t").fetchall()
    found = [tuple(values) for _, values in Image(tmp_path / "x.db", size).rows(root(conn), set())]
    assert sorted(found) == sorted(left)
    conn.close()


def test_what_the_log_has_not_committed_is_not_read(tmp_path: Path) -> None:
    conn = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    conn.execute("PRAGMA journal_mode = WAL")
    conn.execute("CREATE TABLE t (a)")
    conn.execute("INSERT INTO t VALUES (1)")
    conn.execute("PRAGMA cache_size = 1")
    conn.execute("BEGIN")
    conn.executemany("INSERT INTO t VALUES (?)", [(bytes(3000),)] * 50)  # too much for the cache
    assert [values for _, values in Image(tmp_path / "x.db").rows(root(conn), set())] == [[1]]
    conn.execute("ROLLBACK")
    conn.close()


def test_an_image_of_nothing_has_no_pages(tmp_path: Path) -> None:
    image = Image(tmp_path / "missing.db")
    assert image.count == 0
    assert list(image.rows(1, set())) == list(image.orphans(set())) == []
    with pytest.raises(Unreadable):
        image.page(1)


def test_a_tree_that_bites_its_tail_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    conn = sqlite3.connect(path)
    conn.execute("PRAGMA page_size = 512")
    conn.execute("CREATE TABLE t (a)")
    conn.executemany("INSERT INTO t VALUES (?)", [(n,) for n in range(3000)])
    conn.commit()
    first = root(conn)
    conn.close()
    data = bytearray(path.read_bytes())
    start = (first - 1) * 512
    data[start + 8 : start + 12] = first.to_bytes(4)  # its last child is the page itself
    path.write_bytes(data)
    found = [rowid for rowid, _ in Image(path, 512).rows(first, set())]
    assert found == sorted(set(found), reverse=True)
    assert 0 < len(found) < 3000
