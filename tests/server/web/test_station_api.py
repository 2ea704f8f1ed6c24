"""What stations ask: claiming, content by revision, media in ranges."""

import hashlib

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from server.store import content, offices, stations
from tests.server.web.town import DAY, Town


@pytest.fixture
def station(app: FastAPI, town: Town) -> TestClient:
    """A claimed station; it is no browser and sends no Origin."""
    token = town.add("s1")
    return TestClient(app, headers={"Authorization": f"Bearer s1:{token}"})


@pytest.fixture
def screen(app: FastAPI) -> TestClient:
    """A screen that nobody has claimed yet."""
    return TestClient(app)


def test_a_code_is_exchanged_for_credentials_once(screen: TestClient, town: Town) -> None:
    code = town.add("s1", claimed=False)
    with town.store.write() as conn:
        offices.add(conn, "legal", "a2V5", town.now())
    noticed: list[bool] = []
    town.live.notice = lambda: noticed.append(True)
    answer = screen.post("/station/v1/claim", json={"code": f"{code[:4]} {code[4:]}"})
    found = answer.json()
    assert answer.status_code == 200
    assert found["station"] == "s1"
    assert found["offices"] == {"legal": "a2V5"}
    assert found["server_name"] == "驿站"
    assert found["mqtt"]["host"] == ""
    assert (found["mqtt"]["port"], found["mqtt"]["user"], found["mqtt"]["prefix"]) == (1884, "s1", "yz/1")
    assert noticed
    with town.store.read() as conn:
        assert stations.verify(conn, "s1", found["token"])
    assert screen.post("/station/v1/claim", json={"code": code}).status_code == 404


@pytest.mark.parametrize(
    ("later", "status", "key"), [(0, 404, "claim.wrong"), (2 * DAY, 410, "claim.expired")]
)
def test_a_code_that_opens_nothing_says_why_in_both_languages(
    screen: TestClient, town: Town, later: int, status: int, key: str
) -> None:
    code = town.add("s1", claimed=False)
    town.at += later
    wrong = code if later else f"{(int(code) + 1) % 10**8:08}"
    answer = screen.post("/station/v1/claim", json={"code": wrong})
    assert (answer.status_code, answer.json()["error"]) == (status, key)
    assert set(answer.json()["sentence"]) == {"zh", "en"}


def test_guessing_codes_is_slowed_down_even_for_the_right_one(screen: TestClient, town: Town) -> None:
    code = town.add("s1", claimed=False)
    for _ in range(10):
        assert screen.post("/station/v1/claim", json={"code": "1"}).status_code == 404
    answer = screen.post("/station/v1/claim", json={"code": code})
    assert (answer.status_code, answer.json()["error"]) == (429, "claim.limited")
    assert int(answer.headers["retry-after"]) >= 1
    assert "秒" in answer.json()["sentence"]["zh"]
    assert "seconds" in answer.json()["sentence"]["en"]


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b'{"code": 12345678}', b'{"code": "' + b"1" * 99 + b'"}']
)
def test_a_claim_that_cannot_be_read_names_the_field(screen: TestClient, body: bytes) -> None:
    answer = screen.post("/station/v1/claim", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]) == (422, "error.invalid")


def test_content_comes_as_changes_since_a_revision(station: TestClient, town: Town) -> None:
    town.post("J1")
    town.post("J2")
    page = station.get("/station/v1/content/jobs.posts").json()
    assert (page["revision"], page["deletes"], page["more"], page["reset"]) == (2, [], False, False)
    assert [row["job_id"] for row in page["upserts"]] == ["J1", "J2"]
    with town.store.write() as conn:
        content.remove(conn, "jobs.posts", ["J1"])
    page = station.get("/station/v1/content/jobs.posts?since=2").json()
    assert (page["revision"], page["upserts"], page["deletes"]) == (3, [], ["J1"])


def test_a_revision_from_the_future_resets(station: TestClient, town: Town) -> None:
    town.post("J1")
    page = station.get("/station/v1/content/jobs.posts?since=99").json()
    assert (page["reset"], page["revision"], len(page["upserts"])) == (True, 1, 1)


def test_a_revision_of_another_generation_resets(station: TestClient, town: Town) -> None:
    town.post("J1")
    town.post("J2")
    ours = station.get("/station/v1/content/jobs.posts").json()["generation"]
    path = "/station/v1/content/jobs.posts?since=2&generation="
    assert not station.get(path + ours).json()["reset"]
    foreign = station.get(path + "0123456789abcdef").json()
    assert (foreign["reset"], foreign["generation"], len(foreign["upserts"])) == (True, ours, 2)


def test_content_comes_in_pages(station: TestClient, town: Town) -> None:
    with town.store.write() as conn:
        content.put(conn, "jobs.posts", "job_id", [{"job_id": f"J{n:04}"} for n in range(2300)])
    since = 0
    seen: set[str] = set()
    for size in (1000, 1000, 300):
        page = station.get(f"/station/v1/content/jobs.posts?since={since}").json()
        assert len(page["upserts"]) == size
        since, seen = page["revision"], seen | {row["job_id"] for row in page["upserts"]}
    assert not page["more"]
    assert len(seen) == 2300


def test_a_station_sees_its_own_profile_and_no_other(station: TestClient, town: Town) -> None:
    town.add("s2", "别的站")
    rows = station.get("/station/v1/content/station.profile").json()["upserts"]
    assert [row["name"] for row in rows] == ["s1"]


@pytest.mark.parametrize("path", ["content/none.such", "content/jobs", f"media/{'0' * 64}", "media/x"])
def test_what_is_not_there_is_said(station: TestClient, path: str) -> None:
    answer = station.get(f"/station/v1/{path}")
    assert answer.status_code == 404
    assert answer.json()["sentence"]["zh"]


def test_a_negative_revision_is_refused(station: TestClient) -> None:
    assert station.get("/station/v1/content/jobs.posts?since=-1").status_code == 422


def test_a_wrong_or_revoked_token_opens_nothing(station: TestClient, town: Town) -> None:
    other = town.add("s2")
    path = "/station/v1/content/jobs.posts"
    for header in (f"Bearer s1:{other}", "Bearer s1:", "Bearer s1", f"Basic s2:{other}", ""):
        assert station.get(path, headers={"Authorization": header}).status_code == 401
    assert station.get(path).status_code == 200
    with town.store.write() as conn:
        stations.revoke(conn, "s1", town.now())
    assert station.get(path).status_code == 401


def test_media_comes_whole_or_in_ranges(station: TestClient, town: Town) -> None:
    data = bytes(range(256)) * 400
    name = town.file(data)
    path = f"/station/v1/media/{name}"
    assert name == hashlib.sha256(data).hexdigest()
    whole = station.get(path)
    assert whole.content == data
    assert whole.headers["etag"] == f'"{name}"'
    assert whole.headers["content-type"] == "audio/ogg"
    assert "content-encoding" not in whole.headers
    part = station.get(path, headers={"Range": "bytes=1000-"})
    assert part.status_code == 206
    assert part.content == data[1000:]
    assert part.headers["content-range"] == f"bytes 1000-{len(data) - 1}/{len(data)}"
    assert station.get(path, headers={"Range": f"bytes={len(data)}-"}).status_code == 416
    assert station.get(path, headers={"If-None-Match": f'"{name}"'}).status_code == 304


def test_a_range_of_another_file_gives_the_whole(station: TestClient, town: Town) -> None:
    data = b"news" * 1000
    headers = {"Range": "bytes=10-", "If-Range": '"another"'}
    answer = station.get(f"/station/v1/media/{town.file(data)}", headers=headers)
    assert (answer.status_code, answer.content) == (200, data)


def test_pages_of_content_are_squeezed(station: TestClient, town: Town) -> None:
    for number in range(20):
        town.post(f"J{number}")
    answer = station.get("/station/v1/content/jobs.posts", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    plain = station.get("/station/v1/content/jobs.posts", headers={"Accept-Encoding": "identity"})
    assert plain.json() == answer.json()
