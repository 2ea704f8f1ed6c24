"""The station's own page on a real database."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kiosk.testing import FakeStation
from plugins.hello import rules


@pytest.fixture
def station() -> Iterator[FakeStation]:
    with FakeStation("hello") as station:
        offer(station, "热水", "微波炉", "充电", "药箱", "借伞", "无线网")
        yield station


def offer(station: FakeStation, *facilities: str) -> None:
    station.fake_profile = replace(station.fake_profile, facilities=facilities)


def test_the_tile_names_the_first_facilities(station: FakeStation) -> None:
    assert station.hook("tile").live == "热水 微波炉 充电 药箱 借伞"


def test_the_station_says_how_many_the_tile_names(station: FakeStation) -> None:
    station.set("live_facilities", 2)
    assert station.hook("tile").live == "热水 微波炉"


def test_the_tile_speaks_english(station: FakeStation) -> None:
    station.session.language = "en"
    assert station.hook("tile").live.startswith("Hot water, Microwave")


def test_a_station_without_facilities_still_has_a_line(station: FakeStation) -> None:
    offer(station)
    assert station.hook("tile").live == station.tr("live_empty")


def test_what_is_asked_for_is_reported_and_named_on_the_tile(station: FakeStation) -> None:
    receipt = station.store.ask("wifi")
    assert "wifi" not in station.store.asked
    station.settle()
    assert receipt.ok
    assert station.store.asked == {"wifi": 1}
    assert [event.d for event in station.events("asked")] == [{"what": "wifi"}]
    assert station.hook("tile").live == "热水 微波炉 充电 药箱 无线网"


def test_what_was_asked_for_survives_a_restart(tmp_path: Path) -> None:
    with FakeStation("hello", data=tmp_path) as station:
        station.store.ask("wifi")
        station.store.ask("wifi")
    with FakeStation("hello", data=tmp_path) as station:
        assert station.store.asked == {"wifi": 2}


def test_every_facility_has_a_name_and_advice_in_both_languages(station: FakeStation) -> None:
    for language in ("zh", "en"):
        station.session.language = language
        for facility in rules.FACILITIES:
            assert station.tr(facility)
            assert station.tr(f"tip_{facility}")
