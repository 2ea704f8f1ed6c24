"""A day of visitors leaves nothing behind in the screen process."""

from pathlib import Path

import pytest

from kiosk.testing_ui import Kiosk
from tests.kiosk.ui.station import claimed

pytestmark = pytest.mark.window

SERVICES = ("check_in", "legal_aid", "jobs", "broadcast", "hello")


def visit_all(kiosk: Kiosk, times: int) -> None:
    for _ in range(times):
        for service in SERVICES:
            kiosk.tap(name=f"home.{service}")
            kiosk.tap(name="shell.finish")


def test_a_screen_that_was_left_is_freed_and_the_theme_forgets_it(tmp_path: Path) -> None:
    with Kiosk(claimed(tmp_path / "data")) as kiosk:
        visit_all(kiosk, 2)
        kiosk.wait(name="home.hello")
        before = kiosk.do(do="kept")
        visit_all(kiosk, 3)
        kiosk.wait(name="home.hello")
        after = kiosk.do(do="kept")
    assert after["screens"] == []
    assert after["observers"] == before["observers"]
    assert max(after["observers"].values()) > 0
