"""Logging in and out, and who is turned away."""

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from server.store import sessions
from server.web.app import create_app
from server.web.pages import inside
from tests.server.web.town import DAY, NAME, Town

PAGES = ["/", "/?range=week", "/stations", "/stations/east", "/bookings"]
API = [
    "/api/v1/overview",
    "/api/v1/stations",
    "/api/v1/stations/east",
    "/api/v1/completeness",
    "/api/v1/bookings",
    "/api/v1/events/count",
]
STATION = ["/station/v1/content/jobs.posts", f"/station/v1/media/{'0' * 64}"]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_without_a_session_leads_to_the_login_page_and_back(stranger: TestClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")
    assert "人次" not in answer.text


@pytest.mark.parametrize("path", API + STATION)
def test_an_api_without_credentials_is_refused_in_words(stranger: TestClient, path: str) -> None:
    answer = stranger.get(path)
    assert answer.status_code == 401
    assert set(answer.json()) == {"error", "sentence"}
    assert answer.headers["www-authenticate"] == "Bearer"


def test_every_route_is_known_to_the_denial_tests(app: FastAPI) -> None:
    public = {"/login", "/logout", "/health", "/static", "/static/vendor/echarts.js", "/p/jobs/{job_id}"}
    public |= {"/api/v1/openapi.json", "/station/v1/claim"}
    denied = {path.partition("?")[0] for path in PAGES + API}
    denied -= {"/stations/east", "/api/v1/stations/east"}
    denied |= {"/stations/{station_id}", "/api/v1/stations/{station}"}
    denied |= {"/station/v1/content/{collection}", "/station/v1/media/{sha256}"}
    assert paths(app) == public | denied


def paths(app: FastAPI) -> set[str]:
    found: set[str] = set()
    for route in app.routes:
        inner = getattr(route, "original_router", None) or getattr(route, "router", None)
        found |= {each.path for each in inner.routes} if inner is not None else {route.path}  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("path", API)
def test_an_expired_or_invented_token_is_refused(stranger: TestClient, town: Town, path: str) -> None:
    with town.store.write() as conn:
        token = sessions.open(conn, NAME, town.now(), "api")
    town.at += 366 * DAY
    for bad in (token, "invented", ""):
        assert stranger.get(path, headers={"Authorization": f"Bearer {bad}"}).status_code == 401


def test_a_cookie_is_no_api_token_and_an_api_token_no_cookie(app: FastAPI, town: Town) -> None:
    with town.store.write() as conn:
        cookie = sessions.open(conn, NAME, town.now())
        token = sessions.open(conn, NAME, town.now(), "api")
    bearer = TestClient(app).get("/api/v1/stations", headers={"Authorization": f"Bearer {cookie}"})
    assert bearer.status_code == 401
    page = TestClient(app, cookies={"session": token}, follow_redirects=False).get("/")
    assert page.status_code == 303
    right = TestClient(app).get("/api/v1/stations", headers={"Authorization": f"Bearer {token}"})
    assert right.status_code == 200


def test_login_opens_a_session_and_goes_where_one_wanted(stranger: TestClient, login: dict[str, str]) -> None:
    answer = stranger.post("/login", data={**login, "next": "/stations"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/stations")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie
    assert stranger.get("/stations").status_code == 200
    assert stranger.get("/login").status_code == 303


def test_over_tls_the_cookie_is_secure_and_bound_to_the_host(town: Town, login: dict[str, str]) -> None:
    app = create_app(town.store, town.manifests, town.live, now=town.now, hold=0)
    browser = TestClient(app, base_url="https://hq.test", follow_redirects=False)
    answer = browser.post("/login", data=login, headers={"Origin": "https://hq.test"})
    assert answer.headers["set-cookie"].startswith("__Host-session=")
    assert "Secure" in answer.headers["set-cookie"]
    assert browser.get("/").status_code == 200


def test_logout_closes_the_session_in_the_store(stranger: TestClient, login: dict[str, str]) -> None:
    stranger.post("/login", data=login)
    token = stranger.cookies["session"]
    assert stranger.post("/logout").headers["location"] == "/login"
    assert "session" not in stranger.cookies
    stranger.cookies.set("session", token)
    assert stranger.get("/").status_code == 303


def test_wrong_name_and_wrong_password_get_the_same_sentence(
    stranger: TestClient, login: dict[str, str]
) -> None:
    texts = set()
    for wrong in ({**login, "password": "not this one"}, {"name": NAME[:-1], "password": login["password"]}):
        answer = stranger.post("/login", data=wrong)
        assert answer.status_code == 401
        texts.add(answer.text.replace(wrong["name"], ""))
    assert len(texts) == 1
    assert "账号或密码不对" in texts.pop()


def test_an_account_is_locked_after_wrong_passwords_also_after_a_restart(
    stranger: TestClient, town: Town, login: dict[str, str]
) -> None:
    for _ in range(5):
        assert stranger.post("/login", data={**login, "password": "not this one"}).status_code == 401
    again = create_app(town.store, town.manifests, town.live, now=town.now, hold=0)
    answer = TestClient(again).post("/login", data=login, headers={"Origin": "http://testserver"})
    assert answer.status_code == 429
    assert "请等 5 秒" in answer.text
    assert answer.headers["retry-after"] == "5"
    town.at += 5000
    assert stranger.post("/login", data=login).status_code == 303


def test_one_address_cannot_try_many_names(stranger: TestClient, app: FastAPI) -> None:
    app.state.site.logins.free = 3
    for number in range(3):
        wrong = {"name": f"somebody{number}", "password": "not this one"}
        assert stranger.post("/login", data=wrong).status_code == 401
    answer = stranger.post("/login", data={"name": "another", "password": "not this one"})
    assert answer.status_code == 429


@pytest.mark.parametrize(
    "data", [{}, {"name": NAME}, {"password": "x"}, {"name": "x" * 300, "password": "x"}]
)
def test_an_incomplete_form_says_what_is_missing(stranger: TestClient, data: dict[str, str]) -> None:
    answer = stranger.post("/login", data=data)
    assert answer.status_code == 400
    assert "请把账号和密码都填上" in answer.text


@pytest.mark.parametrize(
    "path", ["//evil.test", "/\\evil.test", "https://evil.test", "javascript:alert(1)", "", "/a\nb"]
)
def test_login_never_leads_to_another_site(path: str) -> None:
    assert inside(path) == "/"


def test_what_was_typed_comes_back_escaped(stranger: TestClient) -> None:
    text = '"><script>alert(1)</script>'
    answer = stranger.post("/login", data={"name": text, "password": "x", "next": f"/{text}"})
    assert "<script" not in answer.text
