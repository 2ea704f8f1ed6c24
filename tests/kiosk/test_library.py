"""Media files: never visible in part, never fetched twice, gone when nobody needs them."""

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kiosk.errors import HttpError
from kiosk.http import Http
from kiosk.library import Library
from tests.kiosk.web import Answer, Handler, Web

DATA = bytes(range(256)) * 4000
SHA = hashlib.sha256(DATA).hexdigest()
PATH = f"/station/v1/media/{SHA}"


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        yield web


@pytest.fixture
def library(tmp_path: Path, web: Web) -> Library:
    library = Library(tmp_path / "media")
    library.load()
    library._http = Http(web.url, "Bearer a:b")
    return library


def whole(handler: Handler) -> None:
    handler.reply(200, DATA)


def cut_at(length: int) -> Answer:
    def answer(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(DATA)))
        handler.end_headers()
        handler.wfile.write(DATA[:length])
        handler.close_connection = True

    return answer


def ranged(handler: Handler) -> None:
    start = int(handler.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-"))
    if start >= len(DATA):
        handler.reply(416, b"")
        return
    handler.reply(206, DATA[start:], Content_Range=f"bytes {start}-{len(DATA) - 1}/{len(DATA)}")


def test_a_download_cut_off_is_continued_and_verified(library: Library, web: Web, tmp_path: Path) -> None:
    web.answers[PATH] = cut_at(300_000)
    with pytest.raises(HttpError, match="broke off"):
        library.fetch(SHA)
    assert library.path(SHA) is None
    assert not (tmp_path / "media" / SHA).exists()
    web.answers[PATH] = ranged
    library.fetch(SHA)
    assert web.asked[-1][1]["Range"] == "bytes=300000-"
    assert (tmp_path / "media" / SHA).read_bytes() == DATA


def test_a_server_that_does_not_know_ranges_sends_it_all_again(
    library: Library, web: Web, tmp_path: Path
) -> None:
    web.answers[PATH] = cut_at(300_000)
    with pytest.raises(HttpError):
        library.fetch(SHA)
    web.answers[PATH] = whole
    library.fetch(SHA)
    assert (tmp_path / "media" / SHA).read_bytes() == DATA


def test_a_part_that_was_complete_already_is_only_verified(
    library: Library, web: Web, tmp_path: Path
) -> None:
    (tmp_path / "media" / f"{SHA}.part").write_bytes(DATA)
    web.answers[PATH] = ranged
    library.fetch(SHA)
    assert (tmp_path / "media" / SHA).read_bytes() == DATA


def test_the_wrong_bytes_are_thrown_away_and_fetched_anew(library: Library, web: Web, tmp_path: Path) -> None:
    (tmp_path / "media" / f"{SHA}.part").write_bytes(b"x" * 1000)
    web.answers[PATH] = ranged
    with pytest.raises(HttpError, match="does not match"):
        library.fetch(SHA)
    assert list((tmp_path / "media").iterdir()) == []
    library.fetch(SHA)
    assert (tmp_path / "media" / SHA).read_bytes() == DATA


def test_a_range_that_starts_elsewhere_is_refused(library: Library, web: Web, tmp_path: Path) -> None:
    (tmp_path / "media" / f"{SHA}.part").write_bytes(DATA[:1000])
    web.give(PATH, DATA[5:], 206, Content_Range=f"bytes 5-{len(DATA) - 1}/{len(DATA)}")
    with pytest.raises(HttpError, match="does not fit"):
        library.fetch(SHA)


def test_nothing_is_fetched_onto_a_nearly_full_disk(
    library: Library, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.library.SPARE", 2**62)
    web.answers[PATH] = whole
    with pytest.raises(HttpError, match="nearly full"):
        library.fetch(SHA)


def test_what_is_wanted_arrives_and_what_is_not_goes(library: Library, web: Web, tmp_path: Path) -> None:
    old = tmp_path / "media" / ("0" * 64)
    old.write_bytes(b"old")
    (tmp_path / "media" / f"{'1' * 64}.part").write_bytes(b"old")
    library.load()
    assert library.path("0" * 64) == old
    arrived: list[str] = []
    came = threading.Event()

    def note(sha: str) -> None:
        arrived.append(sha)
        came.set()

    library.arrived = note
    web.answers[PATH] = whole
    library.start(Http(web.url))
    library.want(frozenset({SHA, "../../etc/passwd", ""}), only=True)
    assert came.wait(10)
    library.stop()
    assert arrived == [SHA]
    assert [each.name for each in (tmp_path / "media").iterdir()] == [SHA]
    assert library.path(SHA) is not None
    assert library.path("0" * 64) is None


def test_as_long_as_the_replica_may_be_incomplete_nothing_is_deleted(
    library: Library, web: Web, tmp_path: Path
) -> None:
    (tmp_path / "media" / ("0" * 64)).write_bytes(b"old")
    library.load()
    came = threading.Event()
    library.arrived = lambda sha: came.set()
    web.answers[PATH] = whole
    library.start(Http(web.url))
    library.want(frozenset({SHA}), only=False)
    assert came.wait(10)
    library.stop()
    assert library.path("0" * 64) is not None


def test_a_file_that_is_missing_at_the_server_is_tried_again_later(
    library: Library, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.library.RETRY", (0.02, 0.05))
    came = threading.Event()
    library.arrived = lambda sha: came.set()
    tries: list[int] = []

    def later(handler: Handler) -> None:
        tries.append(1)
        handler.reply(404, {}) if len(tries) < 3 else whole(handler)

    web.answers[PATH] = later
    library.start(Http(web.url))
    library.want(frozenset({SHA}), only=True)
    assert came.wait(10)
    library.stop()
    assert len(tries) == 3
