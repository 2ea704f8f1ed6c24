"""What a plugin is given, seen through the kit for its authors."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kiosk import ui_thread
from kiosk.errors import SettingRefused, Unsealable
from kiosk.strings import MissingString, load
from kiosk.testing import FakeStation, FrozenClock
from protocol.errors import EventError
from protocol.messages import Event, Request
from tests.kiosk import plugin_folder

CODE = """
@hookimpl
def setup(station):
    station.database.write(lambda db: db["sample_note"].create({"text": str})).wait()
    return {"replies": [], "changed": [], "ended": 0}

@hookimpl
def reply(station, reply):
    station.store["replies"].append((reply.id, reply.status, reply.d))

@hookimpl
def content_changed(station, collection):
    station.store["changed"].append(collection)

@hookimpl
def session_ended():
    pass
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    import plugins

    (tmp_path / "plugins").mkdir()
    monkeypatch.setattr(plugins, "__path__", [str(tmp_path / "plugins"), *plugins.__path__])
    monkeypatch.delitem(__import__("sys").modules, "plugins.sample.plugin", raising=False)
    monkeypatch.delitem(__import__("sys").modules, "plugins.sample", raising=False)
    return plugin_folder.write(tmp_path / "plugins", "sample", CODE)


@pytest.fixture
def station(home: Path) -> Iterator[FakeStation]:
    with FakeStation(home) as station:
        yield station


def test_a_report_is_on_disk_with_time_and_session_before_it_is_called_done(station: FakeStation) -> None:
    done: list[object] = []
    station.report("seen", count=3).then(lambda receipt: done.append((receipt.ok, receipt.value)))
    assert done == []
    station.settle()
    assert done == [(True, 1)]
    assert station.events() == [
        Event(
            at=station.clock.wall_ms(),
            up=station.clock.monotonic_ms(),
            plugin="sample",
            name="seen",
            d={"count": 3},
            session=station.session.id,
        )
    ]


@pytest.mark.parametrize("fields", [{}, {"count": "3"}, {"count": -1}, {"count": 1, "name": "Li"}])
def test_what_the_manifest_does_not_declare_never_gets_to_the_disk(
    station: FakeStation, fields: dict[str, Any]
) -> None:
    with pytest.raises(EventError):
        station.report("seen", **fields)
    with pytest.raises(EventError):
        station.report("unheard_of")
    assert station.said() == []


def test_the_event_and_the_plugins_own_row_are_stored_together_or_not_at_all(station: FakeStation) -> None:
    def note(db: Any) -> None:
        db["sample_note"].insert({"text": "a"})

    def fail(db: Any) -> None:
        note(db)
        raise ValueError("on purpose")

    good, bad = station.report("seen", count=1, also=note), station.report("seen", count=2, also=fail)
    station.settle()
    assert (good.ok, bad.ok) == (True, False)
    assert [each.d["count"] for each in station.events()] == [1]
    assert station.database.read(lambda db: db["sample_note"].count).wait().value == 1
    assert station.outbox.not_stored == 1


def test_a_request_carries_its_service_and_its_answer_comes_to_the_hook(station: FakeStation) -> None:
    asked = station.request("ask", slot="s1")
    station.answer(asked, "confirmed", code="48213")
    assert station.requests() == [
        Request(
            at=station.clock.wall_ms(),
            up=station.clock.monotonic_ms(),
            id=asked.value,
            plugin="sample",
            name="ask",
            service="booking",
            d={"slot": "s1"},
        )
    ]
    assert station.store["replies"] == [(asked.value, "confirmed", {"code": "48213"})]


def test_a_request_and_its_event_are_stored_together_or_not_at_all(station: FakeStation) -> None:
    def fail(db: Any) -> None:
        raise ValueError("on purpose")

    good = station.request("ask", slot="s1", event=("seen", {"count": 1}))
    bad = station.request("ask", slot="s2", event=("seen", {"count": 2}), also=fail)
    station.settle()
    assert (good.ok, bad.ok) == (True, False)
    request, event = station.said()
    assert isinstance(request, Request)
    assert isinstance(event, Event)
    assert (request.id, request.d) == (good.value, {"slot": "s1"})
    assert (event.name, event.d, event.session) == ("seen", {"count": 1}, station.session.id)
    assert station.outbox.not_stored == 1


def test_a_request_whose_event_is_not_declared_is_not_made(station: FakeStation) -> None:
    with pytest.raises(EventError):
        station.request("ask", slot="s1", event=("seen", {"count": "many"}))
    assert station.said() == []


def test_a_request_may_bring_its_own_id(station: FakeStation) -> None:
    assert station.request("ask", slot="s1", id="mine").wait().value == "mine"


def test_content_comes_from_memory_in_the_order_of_its_keys(station: FakeStation) -> None:
    assert station.content("posts") == ()
    station.fill("posts", [{"post_id": "b"}, {"post_id": "a"}])
    assert [row["post_id"] for row in station.content("posts")] == ["a", "b"]
    assert station.store["changed"] == ["posts"]


def test_settings_are_the_manifests_defaults_until_they_are_set(station: FakeStation) -> None:
    settings = station.settings
    assert dict(settings) == {"minutes": 30}
    station.set("minutes", 45)
    assert settings["minutes"] == 45
    with pytest.raises(SettingRefused):
        station.set("minutes", 1000)
    with pytest.raises(SettingRefused):
        station.set("unknown", 1)
    assert settings["minutes"] == 45


def test_a_stored_setting_that_no_longer_fits_gives_way_to_the_default_and_says_so(
    home: Path, tmp_path: Path
) -> None:
    with FakeStation(home, data=tmp_path / "data", setup=False) as station:
        station.set("minutes", 700)
        station.database.write(
            lambda db: db.execute("INSERT INTO _setting VALUES ('sample', 'gone', '1')").rowcount
        ).wait()
    manifest = home / "manifest.toml"
    manifest.write_text(manifest.read_text().replace("max = 720", "max = 60"))
    with FakeStation(home, data=tmp_path / "data", setup=False) as station:
        station._settings.load().wait()
        assert dict(station.settings) == {"minutes": 30}
        assert station._settings.problems["sample"] == [
            "sample: the stored value of minutes must be at most 60; the default is used"
        ]


def test_texts_follow_the_language_of_the_session(station: FakeStation) -> None:
    assert station.tr("hello", name="李") == "你好 李"
    station.session.language = "en"
    assert station.tr("hello", name="Li") == "Hello Li"


def test_a_missing_text_fails_tests_and_is_shown_in_chinese_or_as_its_key_otherwise(
    station: FakeStation, home: Path
) -> None:
    with pytest.raises(MissingString):
        station.tr("nowhere")
    with pytest.raises(MissingString):
        station.tr("hello")
    (home / "strings" / "en.toml").write_text("")
    strings = load(home / "strings")
    assert strings.text("en", "hello", name="Li") == "你好 Li"
    assert strings.text("en", "nowhere") == "nowhere"
    assert strings.text("zh", "hello") == "你好 {name}"


def test_only_the_office_can_open_what_is_sealed(home: Path) -> None:
    from nacl.public import PrivateKey, SealedBox

    key = PrivateKey.generate()
    public = base64.b64encode(bytes(key.public_key)).decode()
    with FakeStation(home, offices={"legal": public, "broken": "AAAA"}, setup=False) as station:
        sealed = station.seal("legal", {"phone": "13800001234", "name": "李"})
        assert json.loads(SealedBox(key).decrypt(base64.b64decode(sealed))) == {
            "phone": "13800001234",
            "name": "李",
        }
        for office in ("unknown", "broken"):
            with pytest.raises(Unsealable):
                station.seal(office, {})


def test_background_work_comes_back_on_the_ui_thread(station: FakeStation) -> None:
    import threading

    threads: list[int] = []

    def job() -> str:
        threads.append(threading.get_ident())
        return "result"

    results: list[str] = []
    station.run(job, results.append)
    station.settle()
    assert results == ["result"]
    assert threads != [threading.get_ident()]


def test_background_work_that_fails_says_so_on_the_ui_thread(station: FakeStation) -> None:
    import threading

    results: list[object] = []

    def job() -> None:
        raise ImportError("on purpose")

    def failed(error: BaseException) -> None:
        results.append((type(error), threading.get_ident()))

    station.run(job, results.append, failed)
    station.settle()
    assert results == [(ImportError, threading.get_ident())]


def test_a_plugin_that_hangs_in_the_background_keeps_only_its_share(home: Path) -> None:
    import threading

    from kiosk.errors import Busy
    from kiosk.pool import WAITING, Pool

    pool, gate, done = Pool(), threading.Event(), threading.Event()
    for _ in range(10):
        pool.run("greedy", lambda: gate.wait(10))
    pool.run("modest", done.set)
    assert done.wait(5)
    for _ in range(WAITING - 8):
        pool.run("greedy", lambda: None)
    with pytest.raises(Busy):
        pool.run("greedy", lambda: None)
    gate.set()
    assert pool.idle()
    pool.close()


def test_timers_run_when_their_time_has_come_and_end_when_asked(station: FakeStation) -> None:
    ticks: list[str] = []
    stop = station.every(10, lambda: ticks.append(station.clock.now().strftime("%H:%M")))
    station.advance(minutes=0.5)
    assert len(ticks) == 3
    stop()
    station.advance(minutes=1)
    assert len(ticks) == 3


def test_the_shell_is_asked_by_the_plugins_own_name(station: FakeStation) -> None:
    station.refresh()
    station.go("results")
    station.home()
    station.finish()
    assert station.shell.asked == [("refresh", "sample"), ("go", "sample", "results"), ("home",), ("finish",)]


def test_nothing_of_a_session_outlives_it(station: FakeStation) -> None:
    station.session.facts["trade"] = "courier"
    before = station.session.id
    station.end_session()
    assert station.session.facts == {}
    assert station.session.id != before


def test_public_pages_are_at_headquarters_address(station: FakeStation) -> None:
    assert station.public_url("jobs/J001") == "http://127.0.0.1:8420/p/jobs/J001"


def test_the_frozen_clock_only_moves_when_told(home: Path) -> None:
    clock = FrozenClock("2026-12-31 23:59")
    before = clock.monotonic_ms()
    clock.advance(minutes=2)
    assert str(clock.today()) == "2027-01-01"
    clock.set("1970-01-02 00:00")
    assert clock.monotonic_ms() - before == 120_000
    assert clock.now().tzinfo is not None


def test_the_own_sentences_exist_in_both_languages() -> None:
    import kiosk.errors
    from kiosk.strings import LANGUAGES, own

    keys = {
        each.key for each in vars(kiosk.errors).values() if isinstance(each, type) and hasattr(each, "key")
    }
    for language in LANGUAGES:
        texts = own().texts[language]
        assert keys <= set(texts)
        assert set(texts) == set(own().texts["zh"])
        assert all(key.startswith(("core.", "ui.")) for key in texts)


def test_calls_that_waited_for_a_window_reach_its_loop(station: FakeStation) -> None:
    calls: list[str] = []
    timers: list[float] = []

    class Loop:
        def call_soon(self, fn: Any) -> None:
            fn()

        def call_every(self, seconds: float, fn: Any) -> Any:
            timers.append(seconds)
            return lambda: None

    station.settle()
    ui_thread.call_soon(lambda: calls.append("early"))
    ui_thread.call_every(5, lambda: None)
    ui_thread.install(Loop())
    assert (calls, timers) == (["early"], [5])
    ui_thread.uninstall()
