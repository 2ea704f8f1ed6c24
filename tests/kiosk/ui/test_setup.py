"""The first start of a machine that is no station yet."""

import threading
import time
from pathlib import Path

import pytest

from kiosk import claim
from kiosk.testing_ui import Kiosk
from tests.kiosk.plugin_folder import write
from tests.kiosk.web import Handler, Web

pytestmark = pytest.mark.window

CREDENTIALS = {
    "station": "test-01",
    "token": "token",
    "server_name": "总站",
    "mqtt": {"host": "127.0.0.1", "port": 9, "user": "test-01", "password": "secret", "prefix": "yz/1"},
    "offices": {},
}


def type_in(kiosk: Kiosk, pad: str, text: str) -> None:
    for sign in text:
        kiosk.tap(name=f"{pad}.{sign}")


def test_a_wrong_address_and_a_wrong_code_are_explained_and_the_right_ones_lead_home(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    write(folder, "alpha")
    data = tmp_path / "data"
    with Web() as web, Kiosk(data, plugins=[folder], home=False) as kiosk:
        web.give("/station/v1/claim", {"error": "claim_unknown", "sentence": {}}, status=400)
        kiosk.wait(name="setup.address.done", seconds=20)
        kiosk.tap(name="setup.address.clear")
        type_in(kiosk, "setup.address", web.url)
        assert web.url in kiosk.texts()
        kiosk.tap(name="setup.address.done")
        type_in(kiosk, "setup.code", "1234567")
        kiosk.tap(name="setup.code.delete")
        type_in(kiosk, "setup.code", "78")
        assert "1234 5678" in kiosk.texts()
        kiosk.tap(name="setup.code.done")
        kiosk.wait(text="认领码不对或已过期")
        kiosk.tap(name="shell.language")
        kiosk.wait(text="The claim code is wrong or too old.")
        kiosk.tap(name="shell.language")

        web.give("/station/v1/claim", CREDENTIALS)
        kiosk.tap(name="setup.code.done")
        kiosk.wait(name="home.alpha")
        kiosk.close()
    found = claim.load(data)
    assert found is not None
    assert (found.station, found.server) == ("test-01", web.url)


def test_the_station_works_unclaimed_and_says_so(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    write(folder, "alpha")
    with Kiosk(tmp_path / "data", plugins=[folder]) as kiosk:
        kiosk.wait(text="这台机器还没有认领")
        kiosk.tap(name="home.alpha")


def test_setting_up_put_off_is_found_again_at_the_manager(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    write(folder, "alpha")
    with Web() as web, Kiosk(tmp_path / "data", ["--server", web.url], plugins=[folder]) as kiosk:
        web.give("/station/v1/claim", CREDENTIALS)
        kiosk.tap(name="shell.manager")
        kiosk.tap(text="设置本站")
        kiosk.wait(name="setup.later")
        kiosk.tap(name="setup.later")
        kiosk.tap(name="shell.manager")
        kiosk.tap(name="shell.second")
        type_in(kiosk, "setup.code", "12345678")
        kiosk.tap(name="setup.code.done")
        kiosk.wait(name="home.alpha")
        kiosk.tap(name="shell.manager")
        assert "shell.second" not in kiosk.names()


def test_claiming_that_ends_after_the_setup_was_left_throws_nobody_out(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    write(folder, "alpha")
    answer, data = threading.Event(), tmp_path / "data"

    def late(asked: Handler) -> None:
        answer.wait(20)
        asked.reply(200, CREDENTIALS)

    with Web() as web, Kiosk(data, ["--server", web.url], plugins=[folder], home=False) as kiosk:
        web.answers["/station/v1/claim"] = late
        kiosk.wait(name="setup.code.1", seconds=20)
        type_in(kiosk, "setup.code", "12345678")
        kiosk.tap(name="setup.code.done")
        kiosk.tap(name="setup.later")
        kiosk.tap(name="home.alpha")
        kiosk.wait(name="shell.finish")
        answer.set()
        end = time.monotonic() + 10
        while claim.load(data) is None:
            assert time.monotonic() < end, "never claimed"
        kiosk.wait(name="shell.finish")
        kiosk.tap(name="shell.finish")
        kiosk.wait(name="home.alpha")
        kiosk.wait(gone="这台机器还没有认领")
