"""The faults themselves: the torture proves nothing if its tools do not do what they say."""

import random
import resource
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from protocol import frame as frames
from protocol.errors import FrameError
from tests.faults import damage, hostile, make_corpus, small_disk, wal
from tests.journeys.site import ROOT

#: What each harm comes to in a process of its own: its exit status, and the end of what it says.
ENDS = {
    "raises": (1, "RuntimeError: 13900000000"),
    "quits": (3, ""),
    "exits": (7, ""),
    "segfaults": (-11, ""),
    "leaks": (1, "MemoryError"),
}


def _database(folder: Path) -> tuple[Path, list[wal.Mark]]:
    """A database as a crash leaves it, and where its log ended after each of 40 rows."""
    path = folder / "live" / damage.DATABASE
    path.parent.mkdir(parents=True)
    conn = sqlite3.connect(path, isolation_level=None)
    conn.execute("PRAGMA journal_mode=WAL")
    conn.execute("CREATE TABLE row (n INTEGER PRIMARY KEY, body BLOB)")
    marks = []
    for n in range(40):
        conn.execute("INSERT INTO row VALUES (?, zeroblob(9000))", [n])
        marks.append(wal.read(path.with_name(path.name + "-wal")).mark)
        if n == 19:
            conn.execute("PRAGMA wal_checkpoint(PASSIVE)")
    copy = folder / "dead" / path.name
    copy.parent.mkdir()
    for suffix in ("", "-wal"):
        shutil.copyfile(f"{path}{suffix}", f"{copy}{suffix}")
    conn.close()
    return copy, marks


def _rows(path: Path) -> set[int]:
    conn = sqlite3.connect(path)
    assert conn.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    found = {n for (n,) in conn.execute("SELECT n FROM row")}
    conn.close()
    return found


def test_a_log_is_read_as_sqlite_reads_it_and_every_cut_holds_what_its_mark_says(tmp_path: Path) -> None:
    path, marks = _database(tmp_path)
    log = wal.read(path.with_name(path.name + "-wal"))
    # The checkpoint let the log begin anew: the first twenty rows are in the file.
    assert marks[0].generation != log.generation == marks[-1].generation
    assert log.mark == marks[-1]
    assert len(log.commits) == 20 < len(log.ends)
    for number, end in enumerate((wal.HEADER, *log.ends)):
        for size in (end, end + 100):
            rows = _rows(wal.copy_cut(path, tmp_path / f"cut-{number}-{size}", size))
            assert {n for n, mark in enumerate(marks) if log.holds(mark, size)} == rows


@pytest.mark.parametrize("kind", damage.KINDS)
def test_each_damage_changes_what_it_names_and_nothing_else(tmp_path: Path, kind: str) -> None:
    path, _ = _database(tmp_path)
    (path.parent / f"{damage.DATABASE}.tally").write_bytes(bytes(4096))
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    damage.KINDS[kind](path.parent, random.Random(1))
    after = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    changed = {name for name in before if before[name] != after.get(name)}
    expected = {
        "log_bytes": {"station.db-wal"},
        "tally": {"station.db.tally"},
        "emptied": {"station.db", "station.db-wal"},
    }
    assert changed == expected.get(kind, {"station.db"})


def test_a_small_disk_is_full_when_filled_and_free_again_after(tmp_path: Path) -> None:
    try:
        with small_disk.mounted(tmp_path / "disk", 1024 * 1024) as disk:
            (disk / "kept").write_bytes(b"kept")
            assert small_disk.fill(disk) > 900_000
            with pytest.raises(OSError, match="No space"):
                (disk / "more").write_bytes(b"more")
            small_disk.free(disk)
            (disk / "more").write_bytes(bytes(500_000))
    except small_disk.NoSmallDisk as err:
        pytest.skip(str(err))
    assert list((tmp_path / "disk").iterdir()) == []


@pytest.mark.parametrize("harm", ENDS)
def test_each_hostile_plugin_does_what_its_name_says(harm: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", f"from tests.faults.plugins.{harm} import harm; harm()"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)),
    )
    assert (ended.returncode, ended.stderr.rpartition("\n")[0].rpartition("\n")[2]) == ENDS[harm]


@pytest.mark.parametrize("harm", ["hangs", "seizes"])
def test_what_hangs_hangs_until_it_is_killed(harm: str) -> None:
    words = [sys.executable, "-c", f"from tests.faults.plugins.{harm} import harm; harm()"]
    with pytest.raises(subprocess.TimeoutExpired):
        subprocess.run(words, cwd=ROOT, timeout=1.0, check=False)


def test_every_harm_is_a_plugin_in_any_hook(tmp_path: Path) -> None:
    for harm in [each.stem for each in hostile.SOURCES.glob("[a-z]*.py")]:
        for hook in hostile.HOOKS:
            home = hostile.write(tmp_path / hook, harm, hook)
            compile((home / "plugin.py").read_text(encoding="utf-8"), str(home), "exec")


def test_the_corpus_is_what_the_script_makes_and_each_frame_is_judged_as_its_name_says() -> None:
    corpus = make_corpus.corpus()
    assert {name: data for name, data in corpus.items() if name in make_corpus.CASES} == make_corpus.CASES
    assert len(corpus) == len(make_corpus.CASES) + 2
    assert {name.split("-")[0] for name in corpus} == {*make_corpus.REASONS, "taken"}
    for name, data in corpus.items():
        try:
            frames.decode(data)
            judged = "taken"
        except FrameError as err:
            judged = err.reason
        assert judged == name.split("-")[0], name
