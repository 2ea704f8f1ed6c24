"""The tally survives what it can, and says nothing rather than something wrong."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiosk.tally import SLOT, Facts, Missing, Tally


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "station.db.tally"


def test_what_was_kept_is_read_again_by_the_next_process(path: Path) -> None:
    tally = Tally(path)
    for last in range(1, 8):
        tally.keep(stream="a", last=last, acked=last - 1)
    found = Tally(path).read()
    assert (found.stream, found.last, found.acked) == ("a", 7, 6)


def test_the_file_has_its_whole_size_from_the_beginning(path: Path) -> None:
    Tally(path).keep(stream="a")
    size = path.stat().st_size
    tally = Tally(path)
    for n in range(100):
        tally.keep(last=n)
        tally.miss(Missing(str(n), "disk", 1, n, n))
    assert path.stat().st_size == size == 2 * SLOT


def test_what_is_missing_for_one_reason_is_one(path: Path) -> None:
    tally = Tally(path)
    tally.miss(Missing("x", "disk", 1, 100, 100))
    tally.miss(Missing("y", "damaged", 0, 50, 150))
    tally.miss(Missing("z", "disk", 2, 120, 130))
    assert Tally(path).read().missing == (
        Missing("z", "disk", 3, 100, 130),
        Missing("y", "damaged", 0, 50, 150),
    )


def test_what_is_missing_is_told_by_the_clock_as_it_shows_now() -> None:
    before = Missing("x", "disk", 1, 100, 300, "b1", 1300)
    assert before.seen_at(9_000_000, "b1", 2000) == Missing("x", "disk", 1, 8_999_100, 8_999_300, "b1", 1300)
    assert before.seen_at(9_000_000, "b2", 2000) == before


def test_what_is_missing_before_and_after_the_clock_was_set_right_is_one_by_the_right_clock(
    path: Path,
) -> None:
    tally = Tally(path)
    tally.miss(Missing("x", "disk", 1, 100, 100, "b1", 1000))
    tally.miss(Missing("y", "disk", 1, 9_000_000, 9_000_000, "b1", 3000))
    assert tally.read().missing == (Missing("y", "disk", 2, 8_998_000, 9_000_000, "b1", 3000),)
    tally.miss(Missing("z", "disk", 1, 9_500_000, 9_500_000, "b2", 5))
    assert tally.read().missing == (Missing("z", "disk", 3, 0, 9_500_000, "b2", 5),)


@given(at=st.integers(0, 2 * SLOT - 1), size=st.integers(1, SLOT), byte=st.integers(0, 255))
def test_a_torn_write_leaves_what_was_kept_before_or_nothing(
    tmp_path_factory: pytest.TempPathFactory, at: int, size: int, byte: int
) -> None:
    path = tmp_path_factory.mktemp("tally") / "tally"
    tally = Tally(path)
    for last in (1, 2, 3):
        tally.keep(stream="a", last=last)
    data = bytearray(path.read_bytes())
    data[at : at + size] = bytes([byte]) * len(data[at : at + size])
    path.write_bytes(data)
    found = Tally(path).read()
    assert found == Facts() or (found.stream, found.last) in {("a", 2), ("a", 3)}


def test_a_directory_in_its_place_costs_nothing_but_the_memory_of_the_next_process(path: Path) -> None:
    path.mkdir()
    tally = Tally(path)
    tally.keep(stream="a", last=3)
    assert tally.facts.last == 3
    assert Tally(path).read() == Facts()


def test_a_file_that_goes_is_made_again(path: Path) -> None:
    tally = Tally(path)
    tally.keep(last=3)
    path.unlink()
    tally.keep(last=4)
    assert Tally(path).read().last == 4
