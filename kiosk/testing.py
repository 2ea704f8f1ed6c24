"""A kit for plugin authors: a station without a window, on a real database, with the plugin's real manifest.

    with FakeStation("jobs") as station:
        station.fill("posts", [{"job_id": "J1", ...}])
        station.report("searched", trade="courier")
        assert [event.name for event in station.events()] == ["searched"]

The test's own thread plays the UI thread: `settle` lets the disk finish and runs what is due there.
"""

import datetime as dt
import importlib
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from zoneinfo import ZoneInfo

from kiosk import tables, ui_thread
from kiosk.clock import ZONE
from kiosk.database import Database
from kiosk.media.client import PlayerState
from kiosk.outbox import Outbox
from kiosk.pool import Pool
from kiosk.profile import Profile
from kiosk.receipt import Receipt
from kiosk.session import Session
from kiosk.settings import Settings, Value
from kiosk.shell import NoShell
from kiosk.station import Place, Row, Station
from kiosk.strings import load
from protocol import manifest as manifests
from protocol.messages import Event, Reply, Request, Up, decode

PLUGINS = Path(__file__).parent.parent / "plugins"


class FrozenClock:
    """A clock that stands still until `advance` or `set`."""

    def __init__(self, at: str = "2026-11-21 10:24", zone: str = ZONE) -> None:
        self.zone = ZoneInfo(zone)
        self._now = dt.datetime.fromisoformat(at).replace(tzinfo=self.zone)
        self._monotonic = 3_600_000

    def now(self) -> dt.datetime:
        return self._now

    def today(self) -> dt.date:
        return self._now.date()

    def wall_ms(self) -> int:
        return round(self._now.timestamp() * 1000)

    def monotonic_ms(self) -> int:
        return self._monotonic

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> None:
        """Let both clocks go on."""
        step = dt.timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        self._now += step
        self._monotonic += round(step.total_seconds() * 1000)

    def set(self, at: str) -> None:
        """Set the wall clock, as somebody might; the monotonic clock does not notice."""
        self._now = dt.datetime.fromisoformat(at).replace(tzinfo=self.zone)


class FakePlayer:
    """Remembers what it was asked to do, as (what, argument); `end` makes a programme end."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Any]] = []
        self.state = PlayerState()
        self._ended: list[Callable[..., object]] = []

    def play(self, path: Path, start: float = 0.0) -> None:
        self.asked.append(("play", path))
        self.state = PlayerState("playing", path, start)

    def stop(self) -> None:
        self.asked.append(("stop", None))
        self.state = PlayerState()

    def volume(self, percent: int) -> None:
        self.asked.append(("volume", percent))

    def say(self, path: Path) -> None:
        self.asked.append(("say", path))

    def on_ended(self, fn: Callable[..., object]) -> Callable[[], None]:
        self._ended.append(fn)
        return lambda: self._ended.remove(fn)

    def latest_frame(self) -> None:
        """No pictures here."""

    def close(self) -> None:
        self.asked.append(("close", None))

    def end(self, *args: object) -> None:
        """The programme has ended."""
        for fn in self._ended:
            fn(*args)


class FakeStation(Station):
    """`plugin` is an id in plugins/, or the folder of a manifest; `settings` override its defaults.

    `setup` runs when the plugin has a plugin.py. What it raises, and a missing text, fails the test.
    """

    clock: FrozenClock

    def __init__(
        self,
        plugin: str | Path,
        *,
        clock: FrozenClock | None = None,
        settings: dict[str, Value] | None = None,
        language: str = "zh",
        facts: dict[str, str] | None = None,
        offices: dict[str, str] | None = None,
        data: Path | None = None,
        setup: bool = True,
    ) -> None:
        folder = PLUGINS / plugin if isinstance(plugin, str) else plugin
        manifest = manifests.read(folder)
        self._temporary = Path(tempfile.mkdtemp(prefix="yizhan-")) if data is None else None
        self.data = data or self._temporary or Path()
        ui_thread.uninstall()
        frozen = clock or FrozenClock()
        database = Database(self.data / "station.db", tables.prepare)
        database.opened.wait()
        self.outbox = Outbox(database, frozen)
        self.outbox.load().wait()
        self._settings = Settings(database)
        self._rows: dict[str, tuple[Row, ...]] = {}
        self._media: dict[str, Path] = {}
        self.fake_player = FakePlayer()
        self.spoken: list[str] = []
        self.shell = NoShell()
        self.is_online = True
        self.fake_profile = Profile("test-01", "ZL-018", "织东路暖心驿站", "06:00–22:00", "13800001234")
        session = Session.fresh(frozen)
        session.language = "en" if language == "en" else "zh"
        session.facts.update(facts or {})
        place = Place(
            database=database,
            outbox=self.outbox,
            clock=frozen,
            session=session,
            player=self.fake_player,  # type: ignore[arg-type]
            pool=Pool(),
            settings_of=self._settings.of,
            rows=lambda collection: self._rows.get(collection, ()),
            media=self._media.get,
            profile=lambda: self.fake_profile,
            offices=lambda: offices or {},
            online=lambda: self.is_online,
            server=lambda: "http://127.0.0.1:8420",
            speak=lambda station, text: self.spoken.append(text),
            shell=self.shell,
        )
        super().__init__(place, manifest, load(folder / "strings", strict=True))
        for name, value in (settings or {}).items():
            self.set(name, value)
        if setup and (folder / "plugin.py").exists():
            self.store = self.hook("setup")

    # what a test does

    def fill(self, collection: str, rows: Iterable[Row]) -> None:
        """The collection now has these rows; the plugin is told, as after a synchronisation."""
        key = self.plugin.content[collection].key
        self._rows[f"{self.plugin.id}.{collection}"] = tuple(sorted(rows, key=lambda row: str(row[key])))
        self.hook("content_changed", collection)

    def put_media(self, sha256: str, path: Path) -> None:
        """The file is here under this name."""
        self._media[sha256] = path

    def set(self, name: str, value: Value) -> None:
        """Change a setting."""
        self._settings.set(self.plugin, name, value).wait()
        ui_thread.pump()

    def hook(self, name: str, *args: object) -> Any:
        """Call the plugin's own hook, if it has it: `station.hook("tile")`."""
        folder = f"plugins.{self.plugin.id}"
        try:
            module = importlib.import_module(f"{folder}.plugin")
        except ModuleNotFoundError as err:
            if err.name in (folder, f"{folder}.plugin"):
                return None
            raise
        fn = getattr(module, name, None)
        if fn is None:
            return None
        from kiosk import hookspecs

        spec = getattr(hookspecs, name).__code__
        given = dict(zip(spec.co_varnames[: spec.co_argcount], (self, *args), strict=True))
        takes = fn.__code__.co_varnames[: fn.__code__.co_argcount]
        return fn(**{key: value for key, value in given.items() if key in takes})

    def answer(self, reply: Reply | str | Receipt[str], status: str = "", **d: Any) -> None:
        """Headquarters answers: a whole Reply, or the id (or receipt) of a request, a status and its data."""
        if not isinstance(reply, Reply):
            request = reply.wait().value if isinstance(reply, Receipt) else reply
            asked = next(each for each in self.requests() if each.id == request)
            reply = Reply(id=request, plugin=self.plugin.id, name=asked.name, status=status, d=d)
        self.hook("reply", reply)
        self.settle()

    def settle(self) -> Self:
        """Let the disk and the background work finish and run what is due on the UI thread."""
        while True:
            idle = self._place.pool.idle()
            self._place.database.read(lambda db: None).wait()
            if not ui_thread.pump() and idle and self._place.pool.idle(0):
                return self

    def advance(self, seconds: float = 0, **more: float) -> None:
        """Let the clock go on and run the timers that fall due."""
        before = self.clock.monotonic_ms()
        self.clock.advance(seconds, **more)
        ui_thread.advance((self.clock.monotonic_ms() - before) / 1000)
        self.settle()

    def end_session(self) -> None:
        """The visitor goes: the hook runs and another session begins."""
        self.hook("session_ended")
        self._place.session = Session.fresh(self.clock)

    # what a test looks at

    def said(self) -> list[Up]:
        """Everything in the stream up, as read back from disk."""
        self.settle()
        rows: list[tuple[bytes]] = (
            self._place.database.read(
                lambda db: db.execute("SELECT body FROM _stream_up ORDER BY number").fetchall()
            )
            .wait()
            .value
        )
        return [decode(body) for (body,) in rows]  # type: ignore[misc]

    def events(self, name: str | None = None) -> list[Event]:
        """The usage events on disk, perhaps only those of one name."""
        return [each for each in self.said() if isinstance(each, Event) and name in (None, each.name)]

    def requests(self, name: str | None = None) -> list[Request]:
        """The requests on disk, perhaps only those of one name."""
        return [each for each in self.said() if isinstance(each, Request) and name in (None, each.name)]

    def close(self) -> None:
        """Run `teardown` and let go of everything."""
        self.settle()
        if self.store is not None:
            self.hook("teardown")
        self._place.pool.close()
        self._place.database.close()
        ui_thread.uninstall()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
