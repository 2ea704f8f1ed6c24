"""The replica: as new as the network allows, never broken by what comes over it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import tables, ui_thread
from kiosk.content import Content
from kiosk.database import Database
from kiosk.http import Http
from kiosk.profile import COLLECTION, from_row
from protocol import manifest as manifests
from tests.kiosk import plugin_folder
from tests.kiosk.conftest import free_port
from tests.kiosk.web import Handler, Web

POSTS = "/station/v1/content/jobs_x.posts"
PROFILE = "/station/v1/content/station.profile"
NAME = "jobs_x.posts"


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        web.give(PROFILE, {"revision": 0})
        yield web


Open = Callable[[], Content]


@pytest.fixture
def open_content(tmp_path: Path, web: Web) -> Iterator[Open]:
    manifest = manifests.read(plugin_folder.write(tmp_path, "jobs_x"))
    databases: list[Database] = []

    def open_() -> Content:
        for each in databases:
            each.close()
        databases.append(Database(tmp_path / "station.db", tables.prepare))
        content = Content(databases[-1])
        content.declare([manifest])
        content.load().wait()
        content._http = Http(web.url, "Bearer test-01:token")
        return content

    yield open_
    for each in databases:
        each.close()


def page(revision: int, *ids: str, **more: Any) -> dict[str, Any]:
    return {"revision": revision, "upserts": [{"post_id": each, "pay": 6000} for each in ids], **more}


def ids(content: Content) -> list[str]:
    return [row["post_id"] for row in content.rows(NAME)]


def test_rows_come_go_and_survive_a_restart(open_content: Open, web: Web) -> None:
    content = open_content()
    web.give(f"{POSTS}?since=0", page(3, "b", "a"))
    assert content.sync([NAME])
    assert ids(content) == ["a", "b"]
    web.give(f"{POSTS}?since=3", page(4, "c", deletes=["a"]))
    assert content.sync([NAME])
    assert ids(content) == ["b", "c"]
    assert web.asked[0][1]["Authorization"] == "Bearer test-01:token"
    again = open_content()
    assert ids(again) == ["b", "c"]
    web.give(f"{POSTS}?since=4", page(4))
    assert again.sync([NAME])
    assert ids(again) == ["b", "c"]


def test_pages_are_followed_to_the_end(open_content: Open, web: Web) -> None:
    content = open_content()
    web.give(f"{POSTS}?since=0", page(2, "a", "b", more=True))
    web.give(f"{POSTS}?since=2", page(9, "c"))
    assert content.sync([NAME])
    assert ids(content) == ["a", "b", "c"]


def test_a_break_in_the_middle_keeps_what_is_here_and_goes_on_from_there(
    open_content: Open, web: Web
) -> None:
    content = open_content()
    web.give(f"{POSTS}?since=0", page(2, "a", "b", more=True))
    web.give(f"{POSTS}?since=2", b"", 503)
    assert not content.sync([NAME])
    assert ids(content) == ["a", "b"]
    web.give(f"{POSTS}?since=2", page(3, "c"))
    assert content.sync([NAME])
    assert ids(content) == ["a", "b", "c"]
    assert [path for path, _ in web.asked].count(f"{POSTS}?since=0") == 1


def test_a_server_set_back_replaces_everything_at_once(open_content: Open, web: Web) -> None:
    content = open_content()
    web.give(f"{POSTS}?since=0", page(9, "a", "b"))
    content.sync([NAME])
    web.give(f"{POSTS}?since=9", page(2, "x", reset=True, more=True))
    web.give(f"{POSTS}?since=2", b"", 500)
    assert not content.sync([NAME])
    assert ids(content) == ["a", "b"]  # until all that replaces them is here
    web.give(f"{POSTS}?since=2", page(4, "y"))
    assert content.sync([NAME])
    assert ids(content) == ["x", "y"]
    assert [row["post_id"] for row in open_content().rows(NAME)] == ["x", "y"]


def test_the_generation_is_said_again_and_after_a_restore_everything_is_replaced(
    open_content: Open, web: Web
) -> None:
    content = open_content()
    web.give(f"{POSTS}?since=0", page(9, "a", "b", generation="g1"))
    assert content.sync([NAME])
    again = open_content()
    # Headquarters was set back and is further than we are: our rows are of a history that is no more.
    web.give(f"{POSTS}?since=9&generation=g1", page(7, "x", reset=True, more=True, generation="g2"))
    web.give(f"{POSTS}?since=7&generation=g2", page(12, "y", generation="g3"))
    web.give(f"{POSTS}?since=12&generation=g3", page(12, generation="g3"))
    assert again.sync([NAME])
    assert again.sync([NAME])
    assert ids(again) == ["x", "y"]
    assert [row["post_id"] for row in open_content().rows(NAME)] == ["x", "y"]


def test_a_replica_of_an_earlier_release_learns_the_generation(open_content: Open, web: Web) -> None:
    content = open_content()
    web.give(f"{POSTS}?since=0", page(9, "a"))
    assert content.sync([NAME])
    web.give(f"{POSTS}?since=9", page(9, generation="g1"))
    assert content.sync([NAME])
    web.give(f"{POSTS}?since=9&generation=g1", page(10, "b", generation="g2"))
    assert content.sync([NAME])
    assert ids(content) == ["a", "b"]


def test_headquarters_set_back_while_it_answers_is_asked_from_the_beginning(
    open_content: Open, web: Web
) -> None:
    content = open_content()
    web.give(f"{POSTS}?since=0", page(9, "a", generation="g1"))
    assert content.sync([NAME])
    web.give(f"{POSTS}?since=9&generation=g1", page(7, "x", reset=True, more=True, generation="g2"))
    web.give(f"{POSTS}?since=7&generation=g2", page(3, "z", reset=True, generation="g3"))
    assert content.sync([NAME])
    assert ids(content) == ["z"]


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>please log in to the wifi</html>",
        b"[1, 2]",
        b'{"revision": "new"}',
        b'{"revision": -1}',
        b'{"revision": 5, "upserts": ["a"]}',
        b'{"revision": 5, "upserts": [{"pay": 1}]}',
        b'{"revision": 5, "upserts": [{"post_id": 7}]}',
        b'{"revision": 5, "upserts": [{"post_id": "c"}, {"post_id": ""}]}',
        b'{"revision": 1, "more": true}',
        b'{"revision": 5, "generation": "a b&c"}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_server_that_answers_nonsense_changes_nothing(
    open_content: Open, web: Web, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    content = open_content()
    web.give(f"{POSTS}?since=0", page(1, "a"))
    content.sync([NAME])
    web.give(f"{POSTS}?since=1", garbage)
    assert not content.sync([NAME])
    assert not content.sync([NAME])
    assert ids(content) == ["a"]
    assert ids(open_content()) == ["a"]
    assert len([each for each in caplog.records if NAME in each.getMessage()]) == 1


def test_a_row_that_does_not_fit_the_manifest_is_left_out_alone(open_content: Open, web: Web) -> None:
    content = open_content()
    rows = [{"post_id": "a", "pay": "a lot"}, {"post_id": "b", "pay": 1, "new_field": [1]}]
    web.give(f"{POSTS}?since=0", {"revision": 1, "upserts": rows})
    assert content.sync([NAME])
    assert content.rows(NAME) == ({"post_id": "b", "pay": 1, "new_field": [1]},)


def test_without_a_network_everything_stays(open_content: Open, web: Web) -> None:
    content = open_content()
    web.give(f"{POSTS}?since=0", page(1, "a"))
    content.sync([NAME])
    content._http = Http(f"http://127.0.0.1:{free_port()}")
    assert not content.sync([NAME])
    assert ids(content) == ["a"]


def test_changes_are_told_on_the_ui_thread_and_only_if_there_are_any(open_content: Open, web: Web) -> None:
    content = open_content()
    told: list[tuple[str, int]] = []
    content.changed = lambda name: told.append((name, threading.get_ident()))
    web.give(f"{POSTS}?since=0", page(1, "a"))
    web.give(f"{POSTS}?since=1", page(2, "a"))
    web.give(f"{POSTS}?since=2", page(2))
    for _ in range(3):
        content.sync([NAME])
    assert told == []
    ui_thread.pump()
    assert told == [(NAME, threading.get_ident())]


def test_a_poke_is_followed_at_once(open_content: Open, web: Web) -> None:
    content = open_content()
    rounds: list[bool] = []
    came = threading.Semaphore(0)
    content.synced = lambda complete: (rounds.append(complete), came.release())  # type: ignore[func-returns-value]
    web.give(f"{POSTS}?since=0", page(0))
    content.start(Http(web.url))
    assert came.acquire(timeout=10)
    web.give(f"{POSTS}?since=0", page(1, "a"))
    before = len(web.asked)
    content.poke([NAME])
    assert came.acquire(timeout=10)
    assert ids(content) == ["a"]
    assert [path for path, _ in web.asked[before:]] == [f"{POSTS}?since=0"]
    assert rounds == [True, True]
    content.stop()


def test_the_profile_is_replicated_like_everything_else(open_content: Open, web: Web) -> None:
    content = open_content()
    row = {
        "station": "zl-018",
        "number": "ZL-018",
        "name": "织东路",
        "hours": "06:00–22:00",
        "facilities": ["热水"],
    }
    web.give(PROFILE, {"revision": 1, "upserts": [row]})
    assert content.sync([COLLECTION])
    profile = from_row("zl-018", content.rows(COLLECTION)[0])
    assert (profile.name, profile.facilities, profile.manager_phone) == ("织东路", ("热水",), "")


def test_an_answer_that_never_ends_is_cut_off(
    open_content: Open, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.http.MAX_JSON", 10_000)

    def endless(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" " * 1000)
        handler.close_connection = True

    content = open_content()
    web.answers[f"{POSTS}?since=0"] = endless
    assert not content.sync([NAME])
