"""The JSON API and its description."""

import pytest
from fastapi.testclient import TestClient

from tests.server.web.town import HOUR, Town


@pytest.fixture
def busy(town: Town) -> Town:
    for name in ("east", "west"):
        town.add(name)
    town.complete(["east"], town.hour(10))
    town.complete(["west"], town.hour(9))
    town.visits("east", 8, "delivery", 5)
    town.visits("west", 9, "courier", 2)
    return town


def test_overview_gives_hours_with_their_completeness(browser: TestClient, busy: Town) -> None:
    found = browser.get("/api/v1/overview?day=2026-11-21").json()
    assert found["visits"] == 7
    hours = {hour["label"]: hour for hour in found["hours"]}
    assert (hours["08:00"]["state"], hours["08:00"]["by"]) == ("complete", {"delivery": 5})
    assert (hours["09:00"]["state"], hours["09:00"]["complete"], hours["09:00"]["n"]) == ("partial", 1, 2)
    assert hours["23:00"]["state"] == "future"


def test_stations_have_their_visits(browser: TestClient, busy: Town) -> None:
    found = browser.get("/api/v1/stations").json()
    assert [(each["id"], each["visits"]) for each in found["stations"]] == [("east", 5), ("west", 2)]


def test_events_are_counted_by_station_plugin_and_name(browser: TestClient, busy: Town) -> None:
    def count(query: str) -> object:
        return browser.get(f"/api/v1/events/count?{query}").json()

    assert count("day=2026-11-21")["n"] == 7  # type: ignore[index]
    assert count("station=west&plugin=check_in&name=checked_in")["n"] == 2  # type: ignore[index]
    assert count("name=opened")["n"] == 0  # type: ignore[index]
    assert count("day=2026-11-20") == {
        "n": 0,
        "state": "complete",
        "complete": 2,
        "expected": 2,
        "upto": busy.hour(0),
    }


def test_bookings_carry_no_contact(browser: TestClient, busy: Town) -> None:
    busy.book("east", 1, busy.at + HOUR)
    answer = browser.get("/api/v1/bookings")
    assert "c2VhbGVk" not in answer.text
    assert answer.json()["bookings"][0]["matter"] == "injury"
    assert browser.get(f"/api/v1/bookings?since={busy.at + 2 * HOUR}").json() == {"bookings": []}


@pytest.mark.parametrize("path", ["overview?day=soon", "overview?day=0001-01-01", "bookings?since=-1"])
def test_a_wrong_question_names_the_field(browser: TestClient, path: str) -> None:
    answer = browser.get(f"/api/v1/{path}")
    assert answer.status_code == 422
    assert answer.json()["error"] == "error.invalid"
    assert path.partition("?")[2].partition("=")[0] in answer.json()["sentence"]["en"]


def test_the_description_covers_every_route_and_every_reference(stranger: TestClient) -> None:
    document = stranger.get("/api/v1/openapi.json").json()
    assert {
        "/api/v1/overview",
        "/api/v1/stations",
        "/api/v1/stations/{station}",
        "/api/v1/completeness",
        "/api/v1/bookings",
        "/api/v1/events/count",
        "/station/v1/claim",
        "/station/v1/content/{collection}",
        "/station/v1/media/{sha256}",
    } == set(document["paths"])
    schemas = document["components"]["schemas"]
    assert "contact" not in schemas["Booking"]["properties"]
    assert set(references(document)) <= set(schemas)


def references(part: object) -> list[str]:
    if isinstance(part, dict):
        own = [part["$ref"].rpartition("/")[2]] if isinstance(part.get("$ref"), str) else []
        return own + [each for value in part.values() for each in references(value)]
    return [each for value in part for each in references(value)] if isinstance(part, list) else []
