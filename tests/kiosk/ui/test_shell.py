"""The shell in a real window: services open and end, faults stay where they belong."""

from pathlib import Path

import pytest

from kiosk import tables
from kiosk.database import Database
from kiosk.options import SHIPPED
from kiosk.testing_ui import Kiosk, KioskFailed
from protocol.messages import Event, Fault, decode
from tests.kiosk.plugin_folder import write
from tests.kiosk.ui.station import claimed

pytestmark = pytest.mark.window

SCREEN = """
@hookimpl
def tile(station):
    return Tile(live="{live}")

@hookimpl
def screen(station, route):
    from plugins.{name}.screen import Screen
    return Screen(station)

@hookimpl
def scanned(station, code):
    return code == "CODE{name}"
"""

BUTTON = """
from kivy.factory import Factory
from kiosk.ui.screen import ServiceScreen

class Screen(ServiceScreen):
    def __init__(self, station):
        super().__init__(station)
        once = Factory.PrimaryButton(text="press", name="{name}.press", once=True)
        once.bind(on_release=self.pressed)
        self.add_widget(once)
        self.add_widget(Factory.SecondaryButton(text="never", name="{name}.never", disabled=True))
        self.said = Factory.BodyText(text="0")
        self.add_widget(self.said)

    def pressed(self, *_):
        {do}
"""


def plugin(folder: Path, name: str, do: str, order: int) -> None:
    home = write(folder, name, SCREEN.format(name=name, live=f"live {name}"), order=order)
    (home / "screen.py").write_text(BUTTON.format(name=name, do=do), encoding="utf-8")


def said(data: Path) -> list[Event | Fault]:
    """What the station has in its stream, after its end."""
    database = Database(data / "station.db", tables.prepare)
    query = "SELECT body FROM _stream_up ORDER BY number"
    rows = database.read(lambda db: db.execute(query).fetchall()).wait()
    database.close()
    return [each for each in map(decode, (body for (body,) in rows.value)) if isinstance(each, Event | Fault)]


def test_services_open_and_end_and_a_bad_one_costs_its_own_tile(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    plugin(folder, "counts", "self.said.text = str(int(self.said.text) + 1)", 10)
    plugin(folder, "divides", "1 / 0", 20)
    write(folder, "raises", '@hookimpl\ndef screen(station):\n    raise RuntimeError("no")\n', order=30)
    write(folder, "exits", "@hookimpl\ndef tile(station):\n    raise SystemExit(1)\n", order=40)
    data = claimed(tmp_path / "data")
    with Kiosk(data, plugins=[folder]) as kiosk:
        assert {"织东路暖心驿站", "站号 ZL-018 · 开放 06:00–22:00", "live counts"} <= set(kiosk.texts())

        # A service opens, takes one tap of a button that is handled once, and ends.
        kiosk.tap(name="home.counts")
        kiosk.tap(name="counts.press")
        kiosk.tap(name="counts.press")
        assert "1" in kiosk.texts()
        with pytest.raises(KioskFailed, match="is disabled"):
            kiosk.tap(name="counts.never", seconds=0.2)
        with pytest.raises(KioskFailed, match="is not on the screen"):
            kiosk.tap(name="home.counts", seconds=0.2)
        kiosk.tap(name="shell.finish")
        kiosk.wait(name="home.counts")

        # One that raises in its hook, one in a touch handler: a friendly card, and home goes on.
        for name in ("raises", "divides"):
            kiosk.tap(name=f"home.{name}")
            if name == "divides":
                kiosk.tap(name="divides.press")
            kiosk.wait(text="这项服务暂时用不了")
            assert "13800001234" in kiosk.texts()
            kiosk.tap(name="shell.home")
            kiosk.wait(name="home.counts")
        assert kiosk.texts().count("暂时用不了") == 3

        # A code opens the service that takes it; one that nobody takes is explained.
        kiosk.scan("CODEcounts")
        kiosk.wait(name="counts.press")
        kiosk.tap(name="shell.finish")
        kiosk.scan("NOBODYS")
        kiosk.wait(text="这个码用不上")
        with pytest.raises(KioskFailed, match="is not on the screen"):
            kiosk.tap(name="home.counts", seconds=0.2)
        kiosk.tap(name="shell.close")

        kiosk.tap(name="shell.manager")
        assert "13800001234" in kiosk.texts()
        kiosk.tap(name="shell.close")
        assert kiosk.close() == 0
    heard = said(data)
    shell = [(e.plugin, e.name, e.d.get("how")) for e in heard if isinstance(e, Event)]
    assert shell == [
        ("counts", "opened", None),
        ("counts", "closed", "left"),
        ("raises", "opened", None),
        ("raises", "closed", "left"),
        ("divides", "opened", None),
        ("divides", "closed", "left"),
        ("counts", "opened", None),
        ("counts", "closed", "left"),
    ]
    faults = {(each.plugin, each.where, each.kind) for each in heard if isinstance(each, Fault)}
    assert faults == {
        ("raises", "screen", "RuntimeError"),
        ("divides", "pressed", "ZeroDivisionError"),
        ("exits", "tile", "SystemExit"),
    }


def test_an_abandoned_visit_is_counted_down_wiped_and_put_to_sleep(tmp_path: Path) -> None:
    data = claimed(tmp_path / "data")
    with Kiosk(data, idle=1.5, countdown=1.5, plugins=[SHIPPED]) as kiosk:
        kiosk.tap(name="home.hello")
        kiosk.tap(name="shell.language")
        kiosk.tap(name="shell.large")
        kiosk.wait(text="Are you still there?")
        assert kiosk.names() == ["shell.stay"]
        kiosk.tap(name="shell.stay")
        kiosk.wait(name="shell.finish")
        kiosk.wait(text="Are you still there?")
        kiosk.wait(name="home.hello")
        assert "法律援助预约" in kiosk.texts()

        # The touch that wakes the idle picture presses nothing below it.
        kiosk.wait(text="点一下屏幕开始")
        kiosk.touch(540, 720)
        kiosk.wait(name="home.check_in")
        assert kiosk.names()[0] == "home.check_in"
        kiosk.close()
    events = [each for each in said(data) if isinstance(each, Event)]
    assert [(e.plugin, e.name, e.d.get("how")) for e in events] == [
        ("hello", "opened", None),
        ("hello", "closed", "idle"),
    ]


def test_a_second_kiosk_on_the_same_data_says_so_and_ends(tmp_path: Path) -> None:
    data = claimed(tmp_path / "data")
    folder = tmp_path / "plugins"
    plugin(folder, "counts", "pass", 10)
    with Kiosk(data, plugins=[folder]):
        other = Kiosk(data, plugins=[folder])
        assert other.process.wait(20) == 3
        assert "already runs" in other.errors()
        other.close()


def test_the_screen_of_last_resort_names_the_manager(tmp_path: Path) -> None:
    data = claimed(tmp_path / "data")
    folder = tmp_path / "plugins"
    plugin(folder, "counts", "pass", 10)
    with Kiosk(data, plugins=[folder]) as kiosk:
        kiosk.tap(name="home.counts")
    with Kiosk(data, ["--please-call"], home=False) as kiosk:
        kiosk.wait(text="请联系站长", seconds=20)
        assert "13800001234" in kiosk.texts()


def test_what_a_visitor_types_and_what_a_screen_calls_personal_is_not_read_aloud(tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    plugin(folder, "asks", "self.add_widget(Factory.NumberPad(name='asks.pad', hint='number'))", 10)
    screen = folder / "asks" / "screen.py"
    personal = 'self.said = Factory.BodyText(text="0", personal=True)'
    screen.write_text(screen.read_text().replace('self.said = Factory.BodyText(text="0")', personal))
    with Kiosk(claimed(tmp_path / "data"), plugins=[folder]) as kiosk:
        kiosk.tap(name="home.asks")
        assert "0" in kiosk.texts()
        kiosk.tap(name="asks.press")
        for digit in "138":
            kiosk.tap(name=f"asks.pad.{digit}")
        answer = kiosk.do(do="texts")
        assert "138" in answer["texts"]
        assert {"press", "never"} <= set(answer["aloud"])
        assert not {"138", "0", "1", "number"} & set(answer["aloud"])
