"""Check-in in a real window: a tap, a scanner, the same person again, a restart."""

from pathlib import Path

import pytest

from kiosk.testing_ui import Kiosk
from tests.plugins import station_data

pytestmark = pytest.mark.window

CODE = "ZJ-0081234"


def test_visitors_check_in_by_tap_and_by_code(tmp_path: Path) -> None:
    with Kiosk(tmp_path) as kiosk:
        kiosk.tap(name="home.check_in")
        kiosk.tap(name="check_in.courier")
        kiosk.wait(text="今天第 1 位")
        kiosk.tap(name="check_in.message.next")
        kiosk.wait(name="home.check_in")

        kiosk.scan(CODE)
        kiosk.wait(text="会员码读到了")
        kiosk.tap(name="check_in.skip")
        kiosk.wait(text="今天第 2 位")

        # Somebody else comes before the first has gone; it turns out to be the same person.
        kiosk.scan(CODE)
        kiosk.wait(text="已经签过了")
        kiosk.scan("12:;")
        kiosk.wait(text="没有扫到会员码")
        kiosk.tap(name="check_in.message.back")
        for digit in "123456":
            kiosk.tap(name=f"check_in.pad.{digit}")
        kiosk.tap(name="shell.language")
        kiosk.wait(text="Type your member number")
        kiosk.tap(name="check_in.pad.done")
        kiosk.tap(name="check_in.other")
        kiosk.wait(text="You are number 3 today")
        kiosk.tap(name="shell.finish")
        kiosk.wait(name="home.check_in")
    assert [event.d for event in station_data.events(tmp_path, "check_in")] == [
        {"trade": "courier", "method": "tap"},
        {"trade": "unsaid", "method": "code", "first_today": True},
        {"trade": "other", "method": "code", "first_today": True},
    ]
    with Kiosk(tmp_path) as kiosk:
        kiosk.wait(text="今日人次")
        assert "3" in kiosk.texts()
