"""The station put together, without a window: the screen process and the tests start it."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from kiosk import claim, memory, presets, pulse, quarantine, tables, ui_thread
from kiosk.aloud import Aloud
from kiosk.blame import Journal
from kiosk.clock import Clock, SystemClock
from kiosk.content import Content
from kiosk.database import Database
from kiosk.errors import AlreadyRunning, KioskError
from kiosk.inbox import Inbox, Letter
from kiosk.library import Library
from kiosk.options import Options
from kiosk.outbox import Outbox
from kiosk.plugin_host import Failed, PluginHost
from kiosk.pool import Pool
from kiosk.profile import COLLECTION, Profile, from_row
from kiosk.receipt import Receipt
from kiosk.session import Session
from kiosk.settings import Settings
from kiosk.shell import NoShell, Shell
from kiosk.station import Place, Station
from protocol import messages
from protocol.messages import Fault, Heartbeat, Poke, Reply

if TYPE_CHECKING:
    from kiosk.link import Link
    from kiosk.media.client import Player

log = logging.getLogger(__name__)

OPENED_WITHIN: Final = 30.0  # s; salvaging a large database takes its time, the supervisor's patience ends
SHOWN_WITHIN: Final = 2.0  # s that the network waits for the home screen
HEARTBEAT_SPACING: Final = 30.0  # s between heartbeats that a reconnection asks for


class Runtime:
    """Construct it on the UI thread (quick), call `start` on another, `stop` at the end.

    `host` holds the plugins once started; `shell` draws and may be set before `start`. `restart()` is called
    on the UI thread when the process should end and be started again.
    """

    def __init__(
        self,
        options: Options,
        shell: Shell | None = None,
        clock: Clock | None = None,
        player: "Player | None" = None,
    ) -> None:
        self.options = options
        self.clock = clock or SystemClock(options.zone, options.clock_shift)
        self.started = False
        self.restart: Callable[[], object] = lambda: None
        self._outdated = False
        self.credentials: claim.Credentials | None = None
        self.database = Database(options.database, tables.prepare)
        self.database.on_stale(self._stale)
        self.outbox = Outbox(self.database, self.clock, options.outbox_limit)
        self.inbox = Inbox(self.database, self.clock)
        self.settings = Settings(self.database)
        self.content = Content(self.database)
        self.library = Library(options.media)
        self.link: Link | None = None
        self._stop_heart: Callable[[], None] = lambda: None
        self._beaten = 0.0
        self._begun = time.monotonic()
        if player is None:
            from kiosk.media.client import Player

            player = Player()
        self.place = Place(
            database=self.database,
            outbox=self.outbox,
            clock=self.clock,
            session=Session.fresh(self.clock),
            player=player,
            pool=Pool(),
            settings_of=self.settings.of,
            rows=self.content.rows,
            media=self.library.path,
            profile=lambda: self.profile,
            offices=self._offices,
            online=lambda: self.online,
            server=lambda: self.server,
            speak=self._speak,
            shell=shell or NoShell(),
        )
        self.aloud = Aloud(options.data / "speech", self.place.pool, player, lambda: self.session)
        known = [(each.plugin, each.version) for each in quarantine.read(options.quarantine)]
        self.host = PluginHost(
            options.plugins,
            self.place,
            Journal(options.blame),
            on_fault=self.outbox.say,
            quarantined=known,
            safe_mode=options.safe_mode,
            exhausted=memory.give_up if options.pulse_fd >= 0 else lambda: None,
        )

    # what the shell asks

    @property
    def shell(self) -> Shell:
        return self.place.shell

    @shell.setter
    def shell(self, shell: Shell) -> None:
        self.place.shell = shell

    @property
    def profile(self) -> Profile:
        """Name, number, hours: empty texts until headquarters has sent them."""
        station = self.credentials.station if self.credentials else ""
        rows = self.content.rows(COLLECTION)
        return from_row(station, rows[0] if rows else {}, self.outbox.run_id)

    @property
    def session(self) -> Session:
        return self.place.session

    @property
    def online(self) -> bool:
        """Whether headquarters hears us."""
        return self.link is not None and self.link.online

    @property
    def server(self) -> str:
        """Headquarters' address, empty while unclaimed."""
        if self.credentials is None:
            return ""
        return (self.options.server or self.credentials.server).rstrip("/")

    def end_session(self) -> None:
        """The visitor has gone: every plugin forgets, another session begins."""
        ended = self.session
        self.host.call_all("session_ended")
        self.place.session = Session.fresh(self.clock)
        self.aloud.end(ended)

    def scanned(self, code: str) -> str | None:
        """A code was scanned: the id of the plugin that took it."""
        return self.host.call_until("scanned", code)

    def speak(self, text: str) -> None:
        """Read aloud for the shell, in the language of the session."""
        self.aloud.say(text)

    # beginning and end

    def start(self, loaded: Callable[[], object] = lambda: None) -> None:
        """Open the database, load the plugins, then connect; blocks. AlreadyRunning if another kiosk does.

        `loaded()` is called before connecting: the screen need not wait for what the network needs.
        PresetRefused for a setting in the options that no manifest allows.
        """
        patience = 30.0
        try:
            self.database.opened.wait(OPENED_WITHIN)
        except AlreadyRunning:
            raise
        except KioskError as err:
            log.error("the station runs without a disk: %s", err)
        except TimeoutError:
            log.error("the database takes too long to open: until then the station runs without a disk")
            self.database.opened.then(lambda receipt: self._stale() if receipt.ok else None)
            # What follows waits for the disk as well: from here on the supervisor looks at the screen alone.
            pulse.ready()
            patience = 0.1
        _or_go_on(self.outbox.load(), patience)
        # Before any plugin looks at its own; what is on disk is then read once, for all.
        for each in presets.read(self.options.settings, self.options.plugins):
            _or_go_on(self.settings.set(each.manifest, each.name, each.value), patience)
        _or_go_on(self.settings.load(), patience)
        _or_go_on(self.content.load(), patience)
        self.library.load()
        self.aloud.clear()
        self._say_deaths()
        self.host.load()
        self.content.declare(each.manifest for each in self.host.plugins)
        self.content.changed = self._changed
        self.content.synced = lambda complete: self.library.want(frozenset(self.content.files()), complete)
        self.library.arrived = self._arrived
        for letter in _or_go_on(self.inbox.load(), patience) or []:
            self._letter(letter)
        self.heartbeat()
        self._stop_heart = ui_thread.call_every(self.options.heartbeat, self.heartbeat)
        try:
            self.credentials = claim.load(self.options.data)
        except (ValueError, OSError) as err:
            log.error("the station is not claimed: %s", err)
        self.started = True
        pulse.ready()
        if self._outdated:
            ui_thread.call_soon(self._start_again)
        loaded()
        if self.credentials is not None:
            self.connect(self.credentials)

    def start_then(self, then: Callable[[BaseException | None], object]) -> None:
        """Start on a thread of its own and tell the UI thread: `then(None)` once loaded, or `then(error)`."""

        shown = threading.Event()

        def show() -> None:
            then(None)
            ui_thread.call_soon(shown.set)

        def loaded() -> None:
            ui_thread.call_soon(show)
            # What connecting imports would take the processor from the first picture.
            shown.wait(SHOWN_WITHIN)

        def load() -> None:
            try:
                self.start(loaded)
            except BaseException as err:
                error = err
                if self.started:
                    log.error("the station runs, but not on line", exc_info=err)
                else:
                    ui_thread.call_soon(lambda: then(error) and None)

        threading.Thread(target=load, name="yizhan-loader", daemon=True).start()

    def connect(self, credentials: claim.Credentials) -> None:
        """Go on line as this station, at the start or after claiming; off the UI thread, for its imports."""
        from kiosk.http import Http, check_address
        from kiosk.link import RETRY, Link

        if self.options.allow_plain:
            import msgspec

            credentials = msgspec.structs.replace(credentials, allow_plain=True)
        self.credentials = credentials
        try:
            address = check_address(self.server, credentials.allow_plain)
        except (KioskError, ValueError) as err:
            log.error("headquarters is not asked: %s", err)
            return
        http = Http(address, credentials.authorization)
        self.content.start(http)
        self.library.start(http)
        self.link = Link(
            self.outbox,
            self.inbox,
            self.database,
            self.clock,
            credentials,
            letter=self._letter,
            connected=self._connected,
            retry=(self.options.retry, self.options.retry * RETRY[1] / RETRY[0]),
        )
        self.link.start()

    def stop(self) -> None:
        """Let go of everything, in the reverse order."""
        self._stop_heart()
        if self.link is not None:
            self.link.stop()
        self.content.stop()
        self.library.stop()
        self.host.call_all("teardown")
        self.place.pool.close()
        self.place.player.close()
        self.aloud.clear()
        self.database.close()

    def heartbeat(self) -> None:
        """Say in the stream that all before it is said."""
        self._beaten = time.monotonic()
        plugins = self.host.plugins
        health: dict[str, messages.Value] = {
            "plugins": len(plugins),
            "failed": sum(1 for each in plugins if each.failed),
            "refused": len(self.host.refused),
            "waiting": max(0, self.outbox.last - self.outbox.acked),
            "not_stored": self.outbox.not_stored,
            "damaged": self.database.damaged is not None,
            "safe_mode": self.options.safe_mode,
            "running_s": int(time.monotonic() - self._begun),
        }
        self.outbox.say(
            Heartbeat(
                at=self.clock.wall_ms(), up=self.clock.monotonic_ms(), version=_version(), health=health
            )
        )

    # what happens

    def _stale(self) -> None:
        self._outdated = True
        if self.started:
            ui_thread.call_soon(self._start_again)

    def _start_again(self) -> None:
        # Numbers, settings, content and the plugins' tables are read at the start only.
        log.warning("the screen starts again to use the database as it is now")
        self.restart()

    def _connected(self) -> None:
        # On the UI thread, so that it stands behind all that was said there before it.
        ui_thread.call_soon(self._beat_again)

    def _beat_again(self) -> None:
        if time.monotonic() - self._beaten > HEARTBEAT_SPACING:
            self.heartbeat()

    def _letter(self, letter: Letter) -> None:
        match messages.decode(letter.body):
            case Poke(collections=collections):
                self.content.poke(collections)
                self.inbox.handled(letter)
            case Reply() as reply:
                self._blank(reply)
                ui_thread.call_soon(lambda: self._reply(letter, reply))
            case _:
                log.warning("headquarters said something that this release does not know")
                self.inbox.handled(letter)

    def _blank(self, reply: Reply) -> None:
        """What was sealed for a request need not stay here once headquarters owns the request."""
        if reply.plugin in self.host:
            names = self.host[reply.plugin].manifest.sealed_fields(reply.name)
            if names:
                self.outbox.blank(reply.id, names)

    def _reply(self, letter: Letter, reply: Reply) -> None:
        if reply.plugin not in self.host:
            log.warning("an answer for '%s', which is not here", reply.plugin)
            self.inbox.handled(letter)
            return
        result = self.host.call(reply.plugin, "reply", reply)
        if isinstance(result, Receipt):
            result.then(lambda receipt: self._answered(letter, reply.plugin, receipt.ok))
        elif not isinstance(result, Failed):
            self._answered(letter, reply.plugin, ok=True)
        elif self.host[reply.plugin].running:
            self._answered(letter, reply.plugin, ok=False)

    def _answered(self, letter: Letter, plugin: str, ok: bool) -> None:
        if ok:
            self.inbox.handled(letter)
            self.shell.refresh(plugin)
        else:
            self.inbox.failed(letter)

    def _changed(self, collection: str) -> None:
        plugin, _, name = collection.partition(".")
        if collection == COLLECTION:
            self.shell.refresh("")
        elif plugin in self.host:
            self.host.call(plugin, "content_changed", name)
            self.shell.refresh(plugin)

    def _arrived(self, sha256: str) -> None:
        for collection in self.content.files().get(sha256, ()):
            ui_thread.call_soon(lambda name=collection: self._changed(name))  # type: ignore[misc]

    def _offices(self) -> dict[str, str]:
        offices = dict(self.credentials.offices) if self.credentials else {}
        for row in self.content.rows(COLLECTION)[:1]:
            newer = row.get("offices")
            if isinstance(newer, dict):
                offices.update({str(name): str(key) for name, key in newer.items()})
        return offices

    def _speak(self, station: Station, text: str) -> None:
        self.speak(text)

    def _say_deaths(self) -> None:
        """Tell headquarters what the supervisor has left word of."""
        file: Path = self.options.data / "deaths.json"
        for culprit in quarantine.read(file):
            self.outbox.say(
                Fault(
                    at=self.clock.wall_ms(),
                    up=self.clock.monotonic_ms(),
                    plugin=culprit.plugin,
                    version=culprit.version,
                    where=culprit.hook,
                    kind=culprit.kind,
                )
            )
        with contextlib.suppress(OSError):
            file.unlink()


def _or_go_on(receipt: Receipt[Any], patience: float) -> Any:
    """The receipt's value, or None with a word in the log: a broken disk must not keep the screen dark."""
    try:
        return receipt.wait(patience).value
    except (KioskError, TimeoutError) as err:
        log.error("not read from disk: %s", err)
    except Exception:  # damage can make any value of anything
        log.exception("what is on disk makes no sense")
    return None


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("yizhan")
    except PackageNotFoundError:
        return ""
