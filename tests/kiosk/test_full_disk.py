"""A real disk without room: the screen lives, only what is stored counts as done, and the rest is counted."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import ui_thread
from kiosk.options import Options
from kiosk.runtime import Runtime
from kiosk.testing import FakePlayer
from protocol.messages import Event, Loss, Request, decode
from tests.faults.small_disk import NoSmallDisk, fill, free, mounted
from tests.kiosk import plugin_folder

CODE = """
@hookimpl
def tile(station):
    return Tile(live="here")
"""
SIZE = 4 * 1024 * 1024


class Site:
    """A station whose data directory is a small disk."""

    def __init__(self, disk: Path, plugins: Path) -> None:
        self.disk, self.plugins = disk, plugins
        plugin_folder.write(plugins, "desk", CODE)
        self.runtime: Runtime | None = None
        self.asked: list[str] = []

    def start(self) -> Runtime:
        self.stop()
        self.runtime = Runtime(
            Options(self.disk / "data", plugins=(self.plugins,)),
            player=FakePlayer(),  # type: ignore[arg-type]
        )
        self.runtime.restart = lambda: self.asked.append("again")
        self.runtime.start()
        return self.runtime

    def stop(self) -> None:
        if self.runtime is not None:
            self.runtime.stop()
            ui_thread.uninstall()
            self.runtime = None

    def outcome(self, act: Callable[[Any], Any]) -> str:
        """What the screen learns of an action of the plugin: stored, or the key of a sentence."""
        assert self.runtime is not None
        told: list[str] = []
        receipt = act(self.runtime.host["desk"].station)
        receipt.then(lambda receipt: told.append("stored" if receipt.ok else receipt.error.key))
        for _ in range(200):
            ui_thread.pump(0.05)
            if told:
                return told[0]
        raise AssertionError("the screen was told nothing")

    def said(self, kind: type) -> list[Any]:
        assert self.runtime is not None
        query = "SELECT body FROM _stream_up ORDER BY number"
        rows = self.runtime.database.read(lambda db: db.execute(query).fetchall()).wait().value
        return [said for (body,) in rows if isinstance(said := decode(body), kind)]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    try:
        with mounted(tmp_path / "disk", SIZE) as disk:
            site = Site(disk, tmp_path / "plugins")
            yield site
            site.stop()
    except NoSmallDisk as err:
        pytest.skip(str(err))


def report(station: Any) -> Any:
    return station.report("seen", count=1)


def book(station: Any) -> Any:
    return station.request("ask", slot="s1", event=("seen", {"count": 2}))


def exhaust(site: Site) -> int:
    """Fill up the disk; how many reports went into what the database had already, before one did not."""
    fill(site.disk)
    for n in range(2000):
        if site.outcome(report) == "core.disk_full":
            return n
    raise AssertionError("the disk is not full")


def test_what_a_full_disk_does_not_take_is_refused_counted_and_said_once(site: Site) -> None:
    runtime = site.start()
    stored = exhaust(site)
    assert site.outcome(book) == "core.disk_full"
    assert site.outcome(report) == "core.disk_full"
    assert runtime.host.call("desk", "tile").live == "here"
    free(site.disk)
    assert site.outcome(report) == "stored"
    assert [(each.why, each.n) for each in site.said(Loss)] == [("disk", 4)]
    assert len(site.said(Event)) == stored + 1
    assert site.said(Request) == []
    site.start()
    assert [(each.why, each.n) for each in site.said(Loss)] == [("disk", 4)]


def test_losses_survive_the_process_while_the_disk_is_full(site: Site) -> None:
    site.start()
    exhaust(site)
    for _ in range(2):
        runtime = site.start()
        assert runtime.host.call("desk", "tile").live == "here"
        assert site.outcome(book) in ("core.disk_full", "core.not_stored")
    site.stop()
    free(site.disk)
    site.start()
    assert [(each.why, each.n) for each in site.said(Loss)] == [("disk", 5)]


def test_a_first_start_without_any_room_shows_the_screen_and_heals(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.database.REOPEN_AFTER", 0.0)
    fill(site.disk)
    runtime = site.start()
    assert runtime.host.call("desk", "tile").live == "here"
    assert site.outcome(book) in ("core.disk_full", "core.not_stored")
    free(site.disk)
    assert site.outcome(report) == "stored"
    ui_thread.pump(0.1)
    assert site.asked == ["again"]
    site.start()
    assert [(each.why, each.n) for each in site.said(Loss)] == [("disk", 2)]


def test_a_damaged_database_waits_for_room_to_be_salvaged(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.database.SALVAGE_AFTER", 3600.0)
    site.start()
    for _ in range(30):
        assert site.outcome(report) == "stored"
    site.stop()
    file = site.disk / "data" / "station.db"
    file.write_bytes(b"\0" * 4096 + file.read_bytes()[4096:])
    fill(site.disk)
    runtime = site.start()
    assert runtime.host.call("desk", "tile").live == "here"
    assert site.outcome(report) == "core.disk_full"
    free(site.disk)
    monkeypatch.setattr("kiosk.database.REOPEN_AFTER", 0.0)
    assert site.outcome(report) == "core.disk_full"  # each attempt costs much: not at every job
    monkeypatch.setattr("kiosk.database.SALVAGE_AFTER", 0.0)
    assert site.outcome(report) == "stored"
    ui_thread.pump(0.1)
    assert site.asked == ["again"]
    site.start()
    assert len(site.said(Event)) == 31
    assert sorted((each.why, each.n) for each in site.said(Loss)) == [("damaged", 0), ("disk", 2)]
