"""The whole station without a window: plugins, both streams, the replica, and what remains after a fall."""

import hashlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import claim, quarantine, tables, ui_thread
from kiosk.errors import AlreadyRunning, NotStored
from kiosk.options import Options
from kiosk.plugin_host import PluginHost
from kiosk.quarantine import Culprit
from kiosk.runtime import OPENED_WITHIN, Runtime
from kiosk.shell import NoShell
from kiosk.speech import Speech
from kiosk.supervisor import Timing
from kiosk.testing import FakePlayer
from protocol.messages import Event, Fault, Heartbeat, Loss, Poke, Reply, Request
from tests.kiosk import plugin_folder
from tests.kiosk.conftest import Broker
from tests.kiosk.headquarters import Headquarters
from tests.kiosk.web import Web

CODE = """
@hookimpl
def setup(station):
    station.database.write(lambda db: db.execute("CREATE TABLE IF NOT EXISTS desk_answer (id, how)")).wait()
    return {"answers": [], "changed": []}

@hookimpl
def tile(station):
    return Tile(live=str(len(station.content("posts"))))

@hookimpl
def reply(station, reply):
    station.store["answers"].append(reply.id)
    if reply.status == "poison":
        raise ValueError("on purpose")
    return station.database.write(
        lambda db: db.execute("INSERT INTO desk_answer VALUES (?, ?)", [reply.id, reply.status]).rowcount
    )

@hookimpl
def content_changed(station, collection):
    station.store["changed"].append(collection)

@hookimpl
def scanned(station, code):
    return code == "mine"
"""


class Site:
    """A data directory, a folder of plugins, a broker, a web server: `start` makes a station of it."""

    def __init__(self, tmp_path: Path, broker: Broker, web: Web) -> None:
        self.data, self.plugins, self.broker, self.web = tmp_path / "data", tmp_path / "plugins", broker, web
        self.plugins.mkdir()
        self.runtimes: list[Runtime] = []
        web.give("/station/v1/content/station.profile", {"revision": 0})
        web.give("/station/v1/content/desk.posts", {"revision": 0})

    def claim(self) -> None:
        mqtt = claim.Mqtt(port=self.broker.port, user="test-01", password="p")
        claim.save(self.data, claim.Credentials("test-01", "token", mqtt, server=self.web.url))

    def start(self, **options: Any) -> Runtime:
        runtime = Runtime(
            Options(self.data, plugins=(self.plugins,), **options),
            player=FakePlayer(),  # type: ignore[arg-type]
        )
        self.runtimes.append(runtime)
        runtime.start()
        return runtime

    def stop(self) -> None:
        self.runtimes.pop().stop()
        ui_thread.uninstall()


@pytest.fixture
def site(tmp_path: Path, broker: Broker) -> Iterator[Site]:
    with Web() as web:
        site = Site(tmp_path, broker, web)
        plugin_folder.write(site.plugins, "desk", CODE)
        yield site
        while site.runtimes:
            site.stop()


def until(condition: Callable[[], object], timeout: float = 15.0) -> None:
    """Play the UI thread until the condition holds."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        ui_thread.pump(0.02)


def store(runtime: Runtime) -> dict[str, list[str]]:
    found: dict[str, list[str]] = runtime.host["desk"].station.store
    return found


def said(runtime: Runtime, kind: type) -> list[Any]:
    from protocol.messages import decode

    rows = runtime.database.read(
        lambda db: db.execute("SELECT body FROM _stream_up ORDER BY number").fetchall()
    )
    return [message for (body,) in rows.wait().value if isinstance(message := decode(body), kind)]


def attempts(runtime: Runtime) -> list[int]:
    """How often each waiting letter has failed."""
    rows = runtime.database.read(lambda db: db.execute("SELECT attempts FROM _down_inbox").fetchall())
    return [attempts for (attempts,) in rows.wait().value]


def test_an_unclaimed_station_works_without_any_network(site: Site) -> None:
    runtime = site.start()
    station = runtime.host["desk"].station
    assert station.report("seen", count=1).wait().value == 2  # the heartbeat was first
    assert station.public_url("x") == ""
    assert not runtime.online
    assert runtime.host.call("desk", "tile").live == "0"
    assert runtime.profile.name == ""


def test_nothing_heavy_is_loaded_before_it_is_needed(tmp_path: Path) -> None:
    code = (
        "import sys, kiosk.runtime, kiosk.__main__, kiosk.supervisor;"
        "heavy = {'kivy', 'paho', 'nacl', 'sqlite_utils', 'urllib.request', 'http.client', 'pypinyin',"
        " 'babel', 'segno', 'asyncio', 'email'};"
        "sys.exit(' '.join(heavy & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_from_the_touch_to_headquarters_and_back(site: Site) -> None:
    site.claim()
    with Headquarters(site.broker.port) as headquarters:
        runtime = site.start()
        station = runtime.host["desk"].station
        asked = station.request("ask", slot="s1").wait().value
        headquarters.wait(lambda: len(headquarters.numbers()) == 2)
        first, second = headquarters.heard[runtime.outbox.stream].values()
        assert isinstance(first, Heartbeat)
        assert first.health["plugins"] == 1
        assert second.id == asked  # type: ignore[union-attr]
        until(lambda: runtime.online and station.online)

        headquarters.say(Reply(id=asked, plugin="desk", name="ask", status="confirmed", d={"code": "48213"}))
        until(lambda: store(runtime)["answers"])
        headquarters.resend()
        headquarters.say(Reply(id="r2", plugin="desk", name="ask", status="taken"))
        until(lambda: len(store(runtime)["answers"]) == 2)
        assert store(runtime)["answers"] == [asked, "r2"]
        answers = runtime.database.read(lambda db: db.execute("SELECT id FROM desk_answer").fetchall())
        assert answers.wait().value == [(asked,), ("r2",)]
        shell = runtime.shell
        assert isinstance(shell, NoShell)
        assert ("refresh", "desk") in shell.asked


def test_an_answer_that_came_just_before_the_power_went_is_delivered_after_it(site: Site) -> None:
    site.claim()
    with Headquarters(site.broker.port) as headquarters:
        runtime = site.start()
        until(lambda: runtime.link is not None and runtime.link._ready)
        headquarters.say(Reply(id="r1", plugin="desk", name="ask", status="confirmed"))
        headquarters.wait(
            lambda: headquarters.acked.get("hq-1") == 1
        )  # stored; the UI thread has not seen it
        site.stop()
        again = site.start()
        until(lambda: store(again)["answers"] == ["r1"] and attempts(again) == [])
        site.stop()
        assert site.start() is not None
        ui_thread.pump(0.1)
        assert store(site.runtimes[-1])["answers"] == []


def test_what_was_sealed_goes_from_the_disk_once_headquarters_has_answered(site: Site) -> None:
    sealed, still = "c2VhbGVk" * 12, "d2FpdGlu" * 12
    fields = '[requests.call]\nservice = "booking"\noffice = "legal"\nfields.contact = { type = "sealed" }\n'
    plugin_folder.write(site.plugins, "vault", more=fields)
    site.claim()
    with Headquarters(site.broker.port) as headquarters:
        runtime = site.start()
        station = runtime.host["vault"].station
        station.request("call", id="open", contact=still)
        asked = station.request("call", contact=sealed).wait().value
        headquarters.wait(lambda: len(headquarters.numbers()) == 3)
        assert headquarters.heard[runtime.outbox.stream][3].d == {"contact": sealed}  # type: ignore[union-attr]
        until(lambda: runtime.outbox.acked == 3)
        headquarters.say(Reply(id=asked, plugin="vault", name="call", status="confirmed"))
        until(lambda: [each.d["contact"] for each in said(runtime, Request)] == [still, ""])
        assert (runtime.outbox.low, runtime.outbox.last) == (1, 3)  # the message itself stays
        site.stop()
    written = (site.data / "station.db").read_bytes()
    assert sealed.encode() not in written
    assert still.encode() in written


def test_an_answer_on_which_the_plugin_fails_is_tried_again_but_not_for_ever(site: Site) -> None:
    site.claim()
    with Headquarters(site.broker.port) as headquarters:
        runtime = site.start()
        until(lambda: runtime.link is not None and runtime.link._ready)
        headquarters.say(Reply(id="r1", plugin="desk", name="ask", status="poison"))
        until(lambda: store(runtime)["answers"])
        tries = []
        for _ in range(6):
            site.stop()
            runtime = site.start()
            ui_thread.pump(0.1)
            runtime.database.read(lambda db: None).wait()
            tries.append(len(store(runtime)["answers"]))
        assert tries == [1, 1, 1, 1, 0, 0]


def test_an_answer_that_the_plugin_could_not_store_comes_again_until_it_is_stored(site: Site) -> None:
    site.claim()
    with Headquarters(site.broker.port) as headquarters:
        runtime = site.start()
        until(lambda: runtime.link is not None and runtime.link._ready)
        runtime.database.write(lambda db: db.execute("DROP TABLE desk_answer").rowcount).wait()
        headquarters.say(Reply(id="r1", plugin="desk", name="ask", status="confirmed"))
        until(lambda: store(runtime)["answers"])
        until(lambda: attempts(runtime) == [1])
        assert ("refresh", "desk") not in runtime.shell.asked  # type: ignore[attr-defined]
        site.stop()
        again = site.start()
        until(lambda: store(again)["answers"] == ["r1"])
        until(lambda: attempts(again) == [])
        stored = again.database.read(lambda db: db.execute("SELECT * FROM desk_answer").fetchall())
        assert stored.wait().value == [("r1", "confirmed")]


def test_a_poke_brings_new_content_and_its_files_to_the_plugin(site: Site) -> None:
    site.claim()
    data = b"sound" * 1000
    sha = hashlib.sha256(data).hexdigest()
    with Headquarters(site.broker.port) as headquarters:
        runtime = site.start()
        until(lambda: runtime.link is not None and runtime.link._ready)
        site.web.give(f"/station/v1/media/{sha}", data)
        rows = {"revision": 1, "upserts": [{"post_id": "a", "clip": sha}]}
        site.web.give("/station/v1/content/desk.posts?since=0", rows)
        headquarters.say(Poke(collections=["desk.posts"]))
        until(lambda: runtime.host["desk"].station.media(sha))
        until(lambda: len(store(runtime)["changed"]) == 2)  # the row, then its file
        assert runtime.host.call("desk", "tile").live == "1"
        path = runtime.host["desk"].station.media(sha)
        assert path is not None
        assert path.read_bytes() == data
    site.stop()
    site.web.answers.clear()
    offline = site.start()
    assert offline.host.call("desk", "tile").live == "1"
    assert offline.host["desk"].station.media(sha) == path


def test_the_profile_comes_from_headquarters(site: Site) -> None:
    site.claim()
    row = {"station": "test-01", "name": "织东路", "manager_phone": "1", "offices": {"legal": "a2V5"}}
    site.web.give("/station/v1/content/station.profile?since=0", {"revision": 1, "upserts": [row]})
    runtime = site.start()
    until(lambda: runtime.profile.name == "织东路")
    assert runtime.profile.id == "test-01"
    assert runtime.profile.run == runtime.outbox.run_id
    assert runtime._offices() == {"legal": "a2V5"}
    until(lambda: ("refresh", "") in runtime.shell.asked)  # type: ignore[attr-defined]


def test_a_fault_is_told_to_headquarters_without_values(site: Site) -> None:
    plugin_folder.write(site.plugins, "bad", "@hookimpl\ndef tile(station):\n    {}['13800001234']\n")
    runtime = site.start()
    runtime.host.call("bad", "tile")
    (fault,) = said(runtime, Fault)
    assert (fault.plugin, fault.version, fault.where, fault.kind) == ("bad", "1.0.0", "tile", "KeyError")
    assert "13800001234" not in repr(fault)


def test_who_killed_the_last_screen_is_told_once_and_quarantined_plugins_stay_out(site: Site) -> None:
    plugin_folder.write(site.plugins, "bad", "raise SystemExit\n")
    site.data.mkdir()
    quarantine.write(site.data / "deaths.json", [Culprit("bad", "1.0.0", "screen", "Hung")])
    quarantine.write(site.data / "quarantine.json", [Culprit("bad", "1.0.0", "screen", "Hung")])
    runtime = site.start()
    assert [(each.plugin, each.where, each.kind) for each in said(runtime, Fault)] == [
        ("bad", "screen", "Hung")
    ]
    assert runtime.host["bad"].failed.kind == "Quarantined"  # type: ignore[union-attr]
    assert said(runtime, Heartbeat)[-1].health["failed"] == 1
    site.stop()
    assert len(said(site.start(), Fault)) == 1


def test_after_a_damaged_database_the_station_is_up_and_its_stream_goes_on_and_says_so(site: Site) -> None:
    runtime = site.start()
    stream = runtime.outbox.stream
    runtime.host["desk"].station.report("seen", count=7).wait()
    site.stop()
    file = site.data / "station.db"
    file.write_bytes(b"\0" * 100 + file.read_bytes()[100:])
    again = site.start()
    assert again.outbox.stream == stream
    assert [event.d for event in said(again, Event)] == [{"count": 7}]
    assert [(each.why, each.n) for each in said(again, Loss)] == [("damaged", 0)]
    assert said(again, Heartbeat)[-1].health["damaged"] is True
    assert again.host["desk"].station.report("seen", count=1).wait().ok


def test_damage_found_in_use_asks_for_one_new_start_and_costs_only_what_is_damaged(site: Site) -> None:
    site.start().host["desk"].station.report("seen", count=1).wait()
    site.stop()
    runtime = site.start()
    asked: list[str] = []
    runtime.restart = lambda: asked.append("again")
    for pragma in ("cache_size = 0", "shrink_memory"):
        runtime.database.read(lambda db, pragma=pragma: db.conn.execute(f"PRAGMA {pragma}").fetchall()).wait()  # type: ignore[misc]
    query = "SELECT rootpage FROM sqlite_master WHERE name = '_content'"
    ((page,),) = runtime.database.read(lambda db: db.execute(query).fetchall()).wait().value
    with open(site.data / "station.db", "rb+") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xa5" * 4096)
    for _ in range(3):
        with pytest.raises(NotStored):
            runtime.database.read(lambda db: db.execute("SELECT * FROM _content").fetchall()).wait()
    until(lambda: asked)
    assert runtime.host["desk"].station.report("seen", count=2).wait().ok
    ui_thread.pump(0.1)
    assert asked == ["again"]
    site.stop()
    again = site.start()
    assert [event.d["count"] for event in said(again, Event)] == [1, 2]
    assert said(again, Heartbeat)[-1].health["damaged"] is True
    assert [each.why for each in said(again, Loss)] == ["damaged"]


def test_a_damaged_credentials_file_leaves_a_station_that_works_unclaimed(site: Site) -> None:
    site.claim()
    (site.data / claim.FILE).write_text("{")
    runtime = site.start()
    assert runtime.host.call("desk", "tile").live == "0"
    assert not runtime.online


def test_without_a_disk_the_screen_lives_and_nothing_is_called_done(site: Site) -> None:
    plugin_folder.write(
        site.plugins, "plain", "@hookimpl\ndef tile(station):\n    return Tile(live='here')\n"
    )
    blocked = site.data
    blocked.write_text("a file where the directory should be")
    site.data = blocked / "data"
    runtime = site.start()
    assert runtime.host.call("plain", "tile").live == "here"
    assert runtime.host["desk"].failed is not None  # its setup needs the disk
    outcome: list[str] = []
    receipt = runtime.host["plain"].station.report("seen", count=1)
    receipt.then(lambda r: outcome.append(getattr(r.error, "key", "stored")))
    until(lambda: outcome)
    assert outcome == ["core.not_stored"]
    assert runtime.outbox.not_stored == 1


def test_a_disk_that_comes_late_makes_the_screen_start_again_and_nothing_said_meanwhile_is_lost(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.database.REOPEN_AFTER", 0.0)
    site.data.write_text("a file where the directory should be")
    runtime = site.start()
    asked: list[str] = []
    runtime.restart = lambda: asked.append("again")
    assert runtime.host["desk"].failed is not None
    ui_thread.pump()
    assert asked == []
    with pytest.raises(NotStored):
        runtime.database.read(lambda db: None).wait()  # behind the first heartbeat
    site.data.unlink()
    assert runtime.host["desk"].station.report("seen", count=7).wait().ok
    until(lambda: asked)
    site.stop()
    again = site.start()
    ui_thread.pump()
    assert asked == ["again"]
    assert [event.d for event in said(again, Event)] == [{"count": 7}]
    assert (again.outbox.stream != "", again.outbox.last) == (True, 2)  # the heartbeat came behind it
    assert again.host["desk"].failed is None


def test_a_disk_that_comes_while_the_plugins_load_is_not_overlooked(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kiosk.database.REOPEN_AFTER", 0.0)
    site.data.write_text("a file where the directory should be")
    load = PluginHost.load

    def unblock(host: PluginHost) -> None:
        site.data.unlink()
        load(host)

    monkeypatch.setattr(PluginHost, "load", unblock)
    runtime = Runtime(Options(site.data, plugins=(site.plugins,)), player=FakePlayer())  # type: ignore[arg-type]
    site.runtimes.append(runtime)
    asked: list[str] = []
    runtime.restart = lambda: asked.append("again")
    runtime.start()
    until(lambda: asked)


def test_two_stations_cannot_share_a_data_directory(site: Site) -> None:
    site.start()
    with pytest.raises(AlreadyRunning):
        site.start()


def test_the_end_of_a_session_is_told_to_all_and_wipes_it(site: Site) -> None:
    runtime = site.start()
    runtime.session.facts["trade"] = "courier"
    before = runtime.session.id
    runtime.end_session()
    assert runtime.session.facts == {}
    assert runtime.session.id != before
    assert runtime.host["desk"].station.session is runtime.session


def test_what_was_read_aloud_is_gone_from_the_disk_after_the_visit(site: Site) -> None:
    folder = site.data / "speech"
    (folder / "earlier").mkdir(parents=True)
    (folder / "earlier" / "a.wav").touch()
    runtime = site.start()
    assert not folder.exists()
    player: Any = runtime.place.player
    runtime.speak("您的号码")
    until(lambda: player.asked)
    [(what, clip)] = player.asked
    assert (what, clip.read_bytes()[:4]) == ("say", b"RIFF")
    runtime.end_session()
    assert runtime.place.pool.idle()
    assert list(folder.iterdir()) == []


def test_what_is_still_being_read_when_the_visitor_goes_is_neither_kept_nor_heard(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip, making, gone = Speech.clip, threading.Event(), threading.Event()

    def slow(speech: Speech, text: str, language: str) -> Path:
        making.set()
        assert gone.wait(15)
        return clip(speech, text, language)

    monkeypatch.setattr(Speech, "clip", slow)
    runtime = site.start()
    runtime.speak("您的号码")
    assert making.wait(15)
    runtime.end_session()
    gone.set()
    assert runtime.place.pool.idle()
    assert runtime.place.player.asked == []  # type: ignore[attr-defined]
    assert list((site.data / "speech").iterdir()) == []


def test_a_code_goes_to_the_plugin_that_takes_it(site: Site) -> None:
    runtime = site.start()
    assert runtime.scanned("mine") == "desk"
    assert runtime.scanned("other") is None


def test_heartbeats_come_at_their_interval(site: Site) -> None:
    runtime = site.start(heartbeat=10.0)
    ui_thread.advance(35)
    assert len(said(runtime, Heartbeat)) == 4


def test_the_heartbeat_of_a_new_connection_stands_behind_what_was_said_before_it(site: Site) -> None:
    runtime = site.start()
    runtime._beaten -= 3600
    link = threading.Thread(target=runtime._connected)
    link.start()
    link.join()
    runtime.host["desk"].station.report("seen", count=1)
    until(lambda: len(said(runtime, Heartbeat)) == 2)
    assert [type(each) for each in said(runtime, object)] == [Heartbeat, Event, Heartbeat]


def test_a_database_that_opens_too_slowly_keeps_no_screen_dark(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Timing().start > OPENED_WITHIN
    monkeypatch.setattr("kiosk.runtime.OPENED_WITHIN", 0.1)
    shutil.rmtree(site.plugins / "desk")  # its setup waits for the disk
    plugin_folder.write(
        site.plugins, "plain", "@hookimpl\ndef tile(station):\n    return Tile(live='here')\n"
    )
    opening, prepare = threading.Event(), tables.prepare

    def slow(db: Any) -> None:
        assert opening.wait(30)
        prepare(db)

    monkeypatch.setattr(tables, "prepare", slow)
    runtime = site.start()
    asked: list[str] = []
    runtime.restart = lambda: asked.append("again")
    assert runtime.host.call("plain", "tile").live == "here"
    ui_thread.pump()
    assert asked == []
    opening.set()
    until(lambda: asked)


def test_starting_in_the_background_tells_the_ui_thread(site: Site) -> None:
    runtime = Runtime(Options(site.data, plugins=(site.plugins,)), player=FakePlayer())  # type: ignore[arg-type]
    site.runtimes.append(runtime)
    told: list[object] = []
    runtime.start_then(told.append)
    until(lambda: told)
    assert told == [None]
    assert runtime.started
    other = Runtime(Options(site.data, plugins=(site.plugins,)), player=FakePlayer())  # type: ignore[arg-type]
    other.start_then(told.append)
    until(lambda: len(told) == 2)
    assert isinstance(told[1], AlreadyRunning)
    site.runtimes.append(other)
