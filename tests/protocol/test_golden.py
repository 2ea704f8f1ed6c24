"""Frames of released versions: today's code still writes and reads the same bytes."""

import zlib
from pathlib import Path

import msgspec
import pytest

from protocol import frame, messages
from protocol.messages import Event, Unknown
from tests.protocol.make_golden import CASES, FOLDER, expected

NEWER = FOLDER / "newer"


def plain(data: bytes) -> bytes:
    return zlib.decompress(data, 31) if data[:2] == b"\x1f\x8b" else data


def test_every_case_has_its_file_and_every_file_its_case() -> None:
    assert {file.stem for file in FOLDER.glob("*.frame")} == set(CASES)


@pytest.mark.parametrize("name", CASES)
def test_todays_code_writes_the_golden_bytes(name: str) -> None:
    golden = (FOLDER / f"{name}.frame").read_bytes()
    written = frame.encode(CASES[name])
    # Packed bytes may differ between builds of zlib; what they hold may not.
    assert plain(written) == plain(golden)
    assert (written[:2] == b"\x1f\x8b") == (golden[:2] == b"\x1f\x8b") == (len(plain(golden)) > 1024)


@pytest.mark.parametrize("name", CASES)
def test_todays_code_reads_the_golden_bytes(name: str) -> None:
    read = frame.decode((FOLDER / f"{name}.frame").read_bytes())
    assert expected(read) == (FOLDER / f"{name}.json").read_bytes()
    assert [messages.decode(raw) for raw in read.msgs] == [messages.decode(raw) for raw in CASES[name].msgs]
    assert not any(isinstance(messages.decode(raw), Unknown) for raw in read.msgs)
    assert frame.decode(frame.encode(read)) == read


@pytest.mark.parametrize("file", sorted(NEWER.glob("*.json")), ids=lambda file: file.stem)
def test_a_frame_of_a_newer_release_is_read_as_far_as_it_is_known(file: Path) -> None:
    read = frame.decode(file.read_bytes())
    known, unknown, changed = map(messages.decode, read.msgs)
    assert known == Event(at=5, plugin="jobs", name="opened")
    assert isinstance(unknown, Unknown)
    assert msgspec.json.decode(unknown.raw)["t"] == "weather"
    assert isinstance(changed, Unknown)
    assert msgspec.json.decode(changed.raw)["d"] == [1, 2]
