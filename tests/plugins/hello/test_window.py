"""The station's own page in a real window."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from kiosk.testing_ui import Kiosk
from tests.plugins import station_data

pytestmark = pytest.mark.window

PROFILE = {
    "station": "station",
    "number": "ZL-018",
    "name": "织东路暖心驿站",
    "hours": "06:00–22:00",
    "manager_phone": "0572-0000123",
    "facilities": ["热水", "微波炉", "充电", "药箱", "借伞", "无线网", "座位"],
}


def test_a_visitor_finds_out_what_the_station_offers(tmp_path: Path) -> None:
    station_data.replicate(tmp_path, "station.profile", "station", [PROFILE])
    with Kiosk(tmp_path) as kiosk:
        kiosk.wait(text="热水 微波炉 充电 药箱 借伞")
        kiosk.tap(name="home.hello")
        kiosk.wait(text="06:00–22:00")
        kiosk.tap(name="hello.medicine")
        kiosk.wait(text="藿香正气水")
        kiosk.tap(name="hello.explained.back")
        kiosk.tap(name="hello.pager.next")
        kiosk.wait(name="hello.rest")
        kiosk.tap(name="hello.overview.back")
        kiosk.wait(text="室内不抽烟")
        kiosk.tap(name="hello.rules.back")
        kiosk.tap(name="hello.overview.next")
        kiosk.wait(text="0572-0000123")
        with closing(sqlite3.connect(tmp_path / "station.db")) as conn:
            ((run,),) = conn.execute("SELECT DISTINCT run FROM _stream_up")
        kiosk.wait(text=f"运行编号 {run[:6]}")
        kiosk.tap(name="shell.finish")
    assert [event.d["what"] for event in station_data.events(tmp_path, "hello")] == [
        "medicine",
        "rules",
        "manager",
    ]
