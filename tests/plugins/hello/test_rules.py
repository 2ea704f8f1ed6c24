"""The rules of the station's own page."""

from datetime import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.hello import rules
from protocol import manifest


def test_facilities_are_known_by_id_and_by_their_usual_words() -> None:
    found = rules.facilities(["hot_water", "微波炉", "Charging", " 急救箱 ", "母婴室"])
    assert [each.id for each in found] == ["hot_water", "microwave", "charging", "medicine", "other"]
    assert found[-1].written == "母婴室"


def test_a_facility_written_twice_is_shown_once() -> None:
    assert len(rules.facilities(["热水", "hot_water", "开水", "母婴室", "母婴室", ""])) == 2


def test_every_known_facility_may_be_asked_for() -> None:
    declared = manifest.read(Path(rules.__file__).parent).events["asked"]["what"].values
    assert {*rules.FACILITIES, rules.OTHER} <= set(declared)


def test_the_tile_names_what_is_asked_for_most_in_the_order_of_the_profile() -> None:
    offered = rules.facilities(["hot_water", "microwave", "charging", "medicine"])
    shown = rules.most_asked(offered, {"medicine": 5, "charging": 2, "umbrella": 90}, 2)
    assert [each.id for each in shown] == ["charging", "medicine"]
    assert rules.most_asked(offered, {}, 3) == offered[:3]


@pytest.mark.parametrize(
    ("hours", "now", "is_open"),
    [
        ("06:00–22:00", time(6, 0), True),
        ("06:00–22:00", time(22, 0), False),
        ("8:30-12:00 13:30-17:00", time(12, 30), False),
        ("8:30-12:00 13:30-17:00", time(13, 30), True),
        ("20:00 至 06:00", time(2, 0), True),
        ("20:00 至 06:00", time(12, 0), False),
        ("00:00–24:00", time(23, 59), True),
        ("00:00–00:00", time(3, 0), True),
        ("全天开放", time(3, 0), None),
        ("", time(3, 0), None),
    ],
)
def test_opening_hours(hours: str, now: time, is_open: bool | None) -> None:
    assert rules.is_open(hours, now) is is_open


@given(st.text(max_size=40), st.times())
def test_hours_in_any_writing_raise_nothing(hours: str, now: time) -> None:
    assert rules.is_open(hours, now) in (True, False, None)


def test_a_stations_own_rules_replace_the_usual_ones() -> None:
    assert rules.house_rules("", ["a", "b"]) == ("a", "b")
    assert rules.house_rules(" 不抽烟;早点回家；; ", ["a"]) == ("不抽烟", "早点回家")
