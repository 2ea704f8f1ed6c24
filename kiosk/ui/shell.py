"""What draws around the services: home, navigation, language, the end of a visit."""

import importlib
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kivy.clock import Clock
from kivy.core.window import Window
from kivy.uix.widget import Widget

from kiosk import ui_thread
from kiosk.errors import KioskError
from kiosk.plugin_host import Failed
from kiosk.ui.bar import items
from kiosk.ui.faces import Faces
from kiosk.ui.fence import Fence
from kiosk.ui.home import HomeView
from kiosk.ui.idle import Idle, Mood
from kiosk.ui.overlay import Countdown, Dialog, FallbackCard, IdleView, Splash
from kiosk.ui.root import Root
from kiosk.ui.scanner import Scanner
from kiosk.ui.screen import texts
from kiosk.ui.service import Service
from kiosk.ui.setup_screen import SetupScreen
from kiosk.ui.theme import theme
from kiosk.ui.words import Words, other

if TYPE_CHECKING:
    from kiosk.runtime import Runtime

log = logging.getLogger(__name__)

ASK_TILES: Final = 10.0  # s between two looks at all tiles; plugins tell of changes themselves
ASK_STAGE: Final = 2.0
OFFLINE_GRACE: Final = 30.0  # s after the start before a missing connection is worth a word


class Shell:
    """Implements `kiosk.shell.Shell` on the UI thread. `root` is the widget to show."""

    def __init__(self, idle_seconds: float, countdown_seconds: float) -> None:
        self.root = Root(self._touched)
        self.words = Words()
        self._idle = Idle(idle_seconds, countdown_seconds, time.monotonic())
        self._runtime: Runtime | None = None
        self._faces: Faces | None = None
        self._home: HomeView | None = None
        self._service: Service | None = None
        self._dirty: set[str] = set()
        self._flush = Clock.create_trigger(self._refresh_dirty, -1)
        self._asked = {"tiles": 0.0, "stage": 0.0}
        self._begun = time.monotonic()
        self._skipped_setup = False
        self._timer: Any = None
        splash = Splash(icon="home-heart")
        splash.title = self.words("starting")
        self.root.show(splash)

    # beginning

    def ready(self, runtime: "Runtime") -> None:
        """The plugins are loaded: show the home screen, or the set-up screen of an unclaimed station."""
        self._runtime = runtime
        self._faces = Faces(runtime.host, self.words)
        self._scanner = Scanner(self._scanned)
        Fence(runtime.host, lambda: self._service.plugin if self._service else "", self._faulted)
        self._timer = Clock.schedule_interval(lambda _: self._tick(), 0.5)
        self._idle.restart(time.monotonic())
        if runtime.credentials is None:
            self._show_setup()
        else:
            self.home()
        self._warm_up()

    def rebuild(self) -> None:
        """The window has turned between portrait and landscape: lay everything out anew."""
        if self._runtime is None:
            return
        self.root.cover(None)
        self._home = None
        if isinstance(self.root.content, SetupScreen):
            self._show_setup()
        elif self._service is not None:
            self.go(self._service.plugin, self._service.route)
        else:
            self.home()

    # what plugins ask for

    def go(self, plugin: str, route: str) -> None:
        """Open a screen of the plugin."""
        runtime = self._running
        if plugin not in runtime.host:
            return
        if self._service is not None and self._service.plugin != plugin:
            self._close("left")
        loaded = runtime.host[plugin]
        theme.service = loaded.manifest.colour
        if self._service is None:
            self._service = Service(loaded.station, loaded.folder, self._bar_item)
            self._tell(plugin, "opened")
        body = runtime.host.call(plugin, "screen", route)
        if isinstance(body, Widget):
            if loaded.running and loaded.failed is not None:
                # A fault of a widget, not of a hook: it opens again, so it is offered again.
                loaded.failed = None
            self._service.show(body, route)
        else:
            self._service.show(self._fallback(), route)
        self._service.bar.items = items(self.words.language, service=True)
        self.root.cover(None)
        self.root.show(self._service.frame)

    def home(self) -> None:
        """Show the home screen; the session goes on."""
        self._close("left")
        theme.service = "brand"
        if self._home is None:
            self._home = HomeView()
            self._home.stage.player = self._running.place.player
            self._home.fbind("on_open", lambda _, plugin: self.go(plugin, ""))
            self._home.bar.fbind("on_item", lambda _, name: self._bar_item(name))
        self.root.cover(None)
        self._ask()
        self._fill_home()
        self.root.show(self._home)

    def finish(self) -> None:
        """The visitor is done: wipe the session and show the home screen."""
        self._end("finished")

    def refresh(self, plugin: str) -> None:
        """The plugin's tile, stage or screen has changed; an empty id is the station itself."""
        if not ui_thread.is_current():
            ui_thread.call_soon(partial(self.refresh, plugin))
            return
        self._dirty.add(plugin)
        self._flush()

    # what the visitor does

    def _touched(self) -> bool:
        if not self._idle.touch(time.monotonic()):
            return False
        self.root.cover(None)
        return True

    def _bar_item(self, name: str) -> None:
        match name:
            case "shell.large":
                theme.large = not theme.large
                self._running.session.large_text = theme.large
                self._retell()
            case "shell.language":
                self.words.language = other(self.words.language)
                self._running.session.language = "en" if self.words.language == "en" else "zh"
                self._retell()
            case "shell.read":
                self._read()
            case "shell.manager":
                self._show_manager()
            case "shell.finish":
                self._end("left")

    def _scanned(self, code: str) -> None:
        runtime = self._running
        self._idle.touch(time.monotonic())
        self.root.cover(None)
        if isinstance(self.root.content, SetupScreen):
            self.root.content.scanned(code)
            return
        if self._service is not None:
            taken: str | None = self._service.plugin
            if not runtime.host.call(self._service.plugin, "scanned", code):
                taken = None
        else:
            taken = runtime.scanned(code)
        if taken is None:
            self._say_unknown_code()
        elif self._service is None:
            self.go(taken, "")

    def _read(self) -> None:
        words = self._service.spoken(self._running.host) if self._service else self._home_spoken()
        try:
            self._running.speak(words)
        except KioskError as err:
            log.warning("not read aloud: %s", err)

    def _home_spoken(self) -> str:
        content = self.root.content
        return "\n".join(dict.fromkeys(texts(content))) if content is not None else ""

    def _show_manager(self) -> None:
        profile = self._running.profile
        dialog = Dialog(icon="phone", title=self.words("manager_title"), button=self.words("close"))
        dialog.figure = profile.manager_phone
        dialog.text = self.words("manager_text" if profile.manager_phone else "manager_unknown")
        dialog.note = self.words("hours", hours=profile.hours) if profile.hours else ""
        self._open_dialog(dialog)

    def _say_unknown_code(self) -> None:
        self._open_dialog(
            Dialog(
                icon="barcode-scan",
                title=self.words("code_title"),
                text=self.words("code_text"),
                button=self.words("close"),
            )
        )

    def _open_dialog(self, dialog: Dialog) -> None:
        dialog.fbind("on_close", lambda _: self.root.cover(None))
        self.root.cover(dialog)

    # the end of a visit

    def _end(self, how: str) -> None:
        self._close(how)
        self._running.end_session()
        theme.large = False
        self.words.language = self._running.session.language
        self._idle.restart(time.monotonic())
        self.home()

    def _close(self, how: str) -> None:
        if self._service is not None:
            service, self._service = self._service, None
            self._tell(service.plugin, "closed", how=how, after=service.open_ms())
            service.leave()

    def _tell(self, plugin: str, event: str, **fields: Any) -> None:
        try:
            self._running.host[plugin].station.report(event, **fields)
        except KioskError as err:
            log.error("%s of %s was not counted: %s", event, plugin, err)

    # faults

    def _faulted(self, plugin: str) -> None:
        if self._service is not None and plugin == self._service.plugin:
            self._service.show(self._fallback(), self._service.route)
        elif plugin:
            self.refresh(plugin)
        else:
            self._home = None
            self.home()

    def _fallback(self) -> FallbackCard:
        phone = self._running.profile.manager_phone
        card = FallbackCard(title=self.words("fault_title"), button=self.words("to_home"), figure=phone)
        card.text = self.words("fault_text" if phone else "fault_text_no_phone")
        card.fbind("on_home", lambda _: self.home())
        return card

    # what goes on by itself

    def _tick(self) -> None:
        now = time.monotonic()
        self._tell_time()
        if isinstance(self.root.content, SetupScreen):
            self.root.content.tick()
            return
        match self._idle.mood(now):
            case Mood.COUNTDOWN:
                self._count_down(self._idle.left(now))
            case Mood.ENDED:
                self._end("idle")
            case Mood.ASLEEP:
                self._sleep()
        if self._service is None:
            if now - self._asked["tiles"] > ASK_TILES:
                self._ask()
                self._fill_home()
            elif now - self._asked["stage"] > ASK_STAGE:
                self._show_stage()

    def _count_down(self, seconds: int) -> None:
        overlay = self.root.overlay
        if not isinstance(overlay, Countdown):
            overlay = Countdown(title=self.words("still_there"), text=self.words("still_there_text"))
            overlay.fbind("on_stay", lambda _: self.root.cover(None))
            self.root.cover(overlay)
        overlay.seconds = seconds

    def _sleep(self) -> None:
        if not isinstance(self.root.overlay, IdleView):
            if self._service is not None:
                self.home()
            idle = IdleView(self._running.place.player, invitation=self.words("touch_to_start"))
            idle.station = self._running.profile.name
            self.root.cover(idle)
            self._tell_time()
            self._show_stage()

    def _tell_time(self) -> None:
        now = self._running.clock.now()
        time_text, date_text = f"{now:%H:%M}", self.words.date(now.date())
        for view in (self._home.header if self._home else None, self.root.overlay):
            if view is not None and not isinstance(view, Dialog | Countdown):
                view.time, view.date = time_text, date_text

    def _ask(self) -> None:
        if self._faces is not None:
            self._faces.ask()
            self._asked["tiles"] = time.monotonic()

    def _fill_home(self) -> None:
        if self._home is None or self._faces is None:
            return
        profile, header = self._running.profile, self._home.header
        header.name = profile.name or self.words("product")
        parts = [self.words("number", number=profile.number)] if profile.number else []
        parts += [self.words("open_hours", hours=profile.hours)] if profile.hours else []
        header.about = " · ".join(parts)
        header.note = self._note()
        self._home.bar.items = items(self.words.language, service=False)
        self._home.pager.previous, self._home.pager.next = self.words("previous"), self.words("next")
        self._home.show(*self._faces.tiles())
        self._tell_time()
        self._show_stage()

    def _show_stage(self) -> None:
        self._asked["stage"] = time.monotonic()
        overlay = self.root.overlay
        if self._faces is None or self._home is None:
            return
        stage = self._faces.stage()
        name = self._running.profile.name or self.words("product")
        quiet = (self.words("welcome", name=name), self.words("welcome_line"))
        if isinstance(overlay, IdleView):
            overlay.show(stage, *quiet)
        else:
            self._home.stage.show(stage, *quiet)

    def _note(self) -> str:
        runtime = self._running
        if runtime.credentials is None:
            return self.words("unclaimed")
        quiet = runtime.online or time.monotonic() - self._begun < OFFLINE_GRACE
        return "" if quiet else self.words("offline")

    def _refresh_dirty(self, _: float) -> None:
        dirty, self._dirty = self._dirty, set()
        if self._runtime is None or self._faces is None:
            return
        if self._service is not None:
            if dirty & {self._service.plugin, ""}:
                self._service.refresh(self._running.host)
            return
        for plugin in dirty:
            self._faces.ask(plugin)
        self._fill_home()

    def _retell(self) -> None:
        """Language or text size has changed."""
        if self._service is not None:
            self._service.bar.items = items(self.words.language, service=True)
            self._service.retranslate(self._running.host)
        else:
            self._ask()
            self._fill_home()

    def _show_setup(self) -> None:
        theme.service = "brand"
        screen = SetupScreen(self._running, self.words)
        screen.fbind("on_claimed", lambda _: self.home())
        screen.fbind("on_later", lambda _: self.home())
        self.root.show(screen)

    def _warm_up(self) -> None:
        """Import the plugins' screens in the background, so that the first tap on a tile is quick."""
        host = self._running.host
        for loaded in host.plugins:
            if loaded.running and (loaded.folder / "screen.py").is_file():
                module = f"{type_module(loaded.station, loaded.manifest.id)}.screen"
                work = host.fenced(loaded.manifest.id, "screen", partial(_import_quietly, module))
                self._running.place.pool.run("shell", work)

    @property
    def _running(self) -> "Runtime":
        assert self._runtime is not None, "nothing is asked before ready()"
        return self._runtime


def type_module(station: Any, plugin: str) -> str:
    """The package of a plugin's modules."""
    return f"plugins.{plugin}"


def _import_quietly(module: str) -> None:
    try:
        importlib.import_module(module)
    except Exception as err:  # noqa: BLE001 - the `screen` hook will raise it again, where it is the plugin's fault
        log.debug("%s cannot be imported yet: %s", module, err)


__all__ = ["Failed", "Shell", "Window"]
