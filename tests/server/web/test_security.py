"""What every answer carries and every write must pass."""

import sqlite3
import time
from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from server.web.attempts import Attempts
from tests.server.web.town import Town

WRITES = ["/login", "/logout", "/station/v1/claim"]


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {"Origin": "https://testserver"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
    ],
)
def test_a_write_from_another_site_changes_nothing(
    app: FastAPI, browser: TestClient, path: str, headers: dict[str, str]
) -> None:
    client = TestClient(app, cookies=browser.cookies, follow_redirects=False)
    answer = client.post(path, headers=headers, data={"name": "x", "password": "y"})
    assert answer.status_code == 403
    assert client.get("/").status_code == 200


def test_a_write_of_a_browser_that_names_no_origin_is_refused(app: FastAPI, login: dict[str, str]) -> None:
    answer = TestClient(app).post("/login", data=login)
    assert answer.status_code == 403
    assert "没有照办" in answer.text


@pytest.mark.parametrize("path", ["/login", "/", "/health", "/static/yizhan.css", "/p/jobs/none", "/nowhere"])
def test_every_answer_forbids_foreign_and_inline_code(stranger: TestClient, path: str) -> None:
    headers = stranger.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"


def test_pages_contain_no_inline_code_and_load_only_local_files(browser: TestClient, town: Town) -> None:
    town.add("s1")
    for path in ("/", "/stations", "/stations/s1", "/bookings", "/login", "/p/jobs/none"):
        text = browser.get(path).text
        assert "style=" not in text
        assert "onclick" not in text
        assert "//" not in text.replace("http://www.w3.org/2000/svg", "")
        assert text.count("<script") == text.count("<script src=")


def test_pages_are_kept_by_no_cache(browser: TestClient) -> None:
    assert browser.get("/").headers["cache-control"] == "no-store"


def test_a_long_body_is_refused_before_it_is_read(stranger: TestClient) -> None:
    answer = stranger.post("/login", content=b"name=" + b"x" * 70_000)
    assert answer.status_code == 413
    answer = stranger.post("/station/v1/claim", content=iter([b"{}"]))
    assert answer.status_code == 413


def test_an_unknown_page_is_one_sentence(browser: TestClient) -> None:
    answer = browser.get("/nowhere")
    assert answer.status_code == 404
    assert "没有这一页" in answer.text
    assert browser.get("/api/v1/nowhere").json()["error"] == "error.not_found_api"
    assert browser.post("/").status_code == 405


def test_a_failure_inside_shows_no_trace(app: FastAPI, town: Town, browser: TestClient) -> None:
    town.manifests["broken"] = None  # type: ignore[assignment]
    client = TestClient(app, cookies=browser.cookies, raise_server_exceptions=False)
    page, api = client.get("/"), client.get("/api/v1/overview")
    assert (page.status_code, api.status_code) == (500, 500)
    assert "已经记下来了" in page.text
    assert api.json()["error"] == "error.server"
    assert "Traceback" not in page.text + api.text
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_locked_database_says_try_again(app: FastAPI, town: Town, login: dict[str, str]) -> None:
    other = sqlite3.connect(town.store.data_dir / "headquarters.sqlite", isolation_level=None)
    with town.store.write() as conn:
        conn.exec_driver_sql("PRAGMA busy_timeout = 50")
    town.store.engine.pool.dispose()
    other.execute("BEGIN IMMEDIATE")
    for connection in [town.store.engine.connect()]:
        connection.exec_driver_sql("PRAGMA busy_timeout = 50")
        connection.close()
    answer = TestClient(app).post("/login", data=login, headers={"Origin": "http://testserver"})
    assert answer.status_code == 503
    assert "请过一分钟再试" in answer.text
    other.execute("ROLLBACK")
    other.close()


@pytest.fixture
def locked(town: Town) -> Iterator[None]:
    """Another process holds the database's write lock, for longer than anybody waits."""
    town.store.checkpoint()
    other = sqlite3.connect(town.store.data_dir / "headquarters.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE change SET n = n")
    yield
    other.execute("ROLLBACK")
    other.close()


READS = ["/", "/?range=week", "/stations", "/stations/east", "/bookings", "/p/jobs/none", "/login"]
READS += ["/api/v1/overview", "/api/v1/stations", "/api/v1/stations/east", "/api/v1/completeness"]
READS += ["/api/v1/bookings", "/api/v1/events/count", "/health"]


def test_every_page_shows_while_nothing_can_be_written(
    browser: TestClient, town: Town, request: pytest.FixtureRequest
) -> None:
    town.add("east")
    cookies = dict(browser.cookies)
    request.getfixturevalue("locked")
    town.store.engine.pool.dispose()  # new connections are opened under the lock, too
    started = time.monotonic()
    answers = {path: browser.get(path).status_code for path in READS}
    assert answers == {**dict.fromkeys(READS, 200), "/p/jobs/none": 404, "/login": 303}
    assert time.monotonic() - started < 5, "somebody has waited for the lock"
    assert dict(browser.cookies) == cookies


def test_every_page_says_since_when_its_numbers_stand_still(browser: TestClient, town: Town) -> None:
    town.add("east")
    pages = ["/", "/?range=week", "/stations", "/stations/east", "/bookings"]
    assert not [path for path in pages if "写不进" in browser.get(path).text]
    town.live.stale_since = town.hour(9)
    assert [path for path in pages if "数据库从 09:00 起写不进" in browser.get(path).text] == pages
    town.live.stale_since = town.hour(9 - 24)
    assert "no writes since 11-20 09:00" in browser.get("/stations?lang=en").text


def test_health_says_whether_the_database_takes_writes(stranger: TestClient, town: Town) -> None:
    assert stranger.get("/health").json() == {"ok": True, "broker": True, "stale_since": None}
    town.live.stale_since = town.now()
    assert stranger.get("/health").status_code == 503


def test_waits_double_and_end_and_are_forgiven() -> None:
    now = [0.0]
    attempts = Attempts(free=2, first=2, longest=10, clock=lambda: now[0])
    assert attempts.enter("here") == 0
    waits = []
    for _ in range(5):
        assert attempts.enter("here") == 0
        waits.append(attempts.enter("here"))
        now[0] += waits[-1]
    assert waits == [2, 4, 8, 10, 10]
    assert attempts.enter("elsewhere") == 0
    attempts.right("here")
    assert attempts.enter("here") == 0
