"""What draws around the services: home, navigation, language, the end of a visit."""

import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from kivy.clock import Clock
from kivy.uix.widget import Widget

from kiosk import ui_thread
from kiosk.errors import KioskError
from kiosk.ui.bar import items
from kiosk.ui.fence import Fence, GivesUp
from kiosk.ui.front import Front
from kiosk.ui.idle import Idle, Mood
from kiosk.ui.root import Root
from kiosk.ui.scanner import Scanner
from kiosk.ui.screen import texts
from kiosk.ui.splash import Splash
from kiosk.ui.theme import theme
from kiosk.ui.warm_up import warm_up
from kiosk.ui.words import Words, other

if TYPE_CHECKING:
    from kiosk.runtime import Runtime
    from kiosk.ui.overlay import Countdown, Dialog
    from kiosk.ui.service import Service
    from kiosk.ui.setup_screen import SetupScreen

log = logging.getLogger(__name__)

TICK: Final = 0.5
WARM_UP_AFTER: Final = 1.0
#: The shell's own mistakes lead home; this many in as many seconds, and a new process is the better home.
MISTAKES: Final = 5
WITHIN: Final = 10.0


class Shell:
    """Implements `kiosk.shell.Shell`. `root` is the widget to show; nothing else is asked before `ready`."""

    def __init__(self, idle_seconds: float, countdown_seconds: float) -> None:
        self.words = Words()
        self.root = Root(self._touched)
        self.root.show(Splash(icon="home-heart", title=self.words("starting")))
        self._idle = Idle(idle_seconds, countdown_seconds, time.monotonic())
        self._service: Service | None = None
        self._dirty: set[str] = set()
        self._flush = Clock.create_trigger(self._refresh_dirty, -1)
        self._mistakes: list[float] = []
        self._setup: SetupScreen | None = None
        self._optional = False  # the set-up was put off: who opens it again may also leave it
        self._countdown: Countdown | None = None
        self._front: Front
        self._runtime: Runtime

    def ready(self, runtime: "Runtime") -> None:
        """The plugins are loaded: show the home screen, or the set-up screen of an unclaimed station."""
        self._runtime = runtime
        self._front = Front(runtime, self.words, partial(self.go, route=""), self._bar_item)
        self._scanner = Scanner(self._scanned)
        Fence(runtime.host, lambda: self._service.plugin if self._service else "", self._faulted)
        Clock.schedule_interval(lambda _: self._tick(), TICK)
        self._idle.restart(time.monotonic())
        if runtime.credentials is None:
            self._show_setup()
        else:
            self.home()
        # Not at once: the first picture shall not share the processor with it.
        Clock.schedule_once(lambda _: warm_up(runtime.host, runtime.place.pool), WARM_UP_AFTER)

    def rebuild(self) -> None:
        """The window has another shape: lay everything out anew."""
        if isinstance(self.root.content, Splash):
            return
        self._uncover()
        self._front.rebuild()
        if self._service is not None:
            plugin, route = self._service.plugin, self._service.route
            self._service = self._begin(plugin, self._service.opened)
            self.go(plugin, route)
        elif self._setup is not None:
            self._show_setup()
        else:
            self.home()

    # what plugins ask for

    def go(self, plugin: str, route: str) -> None:
        """Open a screen of the plugin."""
        host = self._runtime.host
        if plugin not in host:
            return
        if self._service is not None and self._service.plugin != plugin:
            self._close("left")
        loaded = host[plugin]
        theme.service = loaded.manifest.colour
        service = self._service
        if service is None:
            service = self._service = self._begin(plugin, time.monotonic())
            self._tell(plugin, "opened")
        body = host.call(plugin, "screen", route)
        if self._service is not service:
            return  # the hook itself has gone elsewhere
        if isinstance(body, Widget):
            if loaded.failed is not None and loaded.failed.where != "tile":
                loaded.failed = None  # it opens again, so it is offered again
            service.show(body, route, host)
        else:
            self._show_fallback()
        service.bar.items = items(self.words.language, service=True)
        self._uncover()
        self.root.show(service.frame)

    def home(self) -> None:
        """Show the home screen; the session goes on."""
        self._close("left")
        self._setup = None
        theme.service = "brand"
        self._uncover()
        self._front.fill()
        self.root.show(self._front.view)

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

    # screens

    def _begin(self, plugin: str, opened: float) -> "Service":
        from kiosk.ui.service import Service  # the first picture needs no service

        return Service(self._runtime.host[plugin].station, opened, self._bar_item)

    def _close(self, how: str) -> None:
        if self._service is not None:
            service, self._service = self._service, None
            after = int((time.monotonic() - service.opened) * 1000)
            self._tell(service.plugin, "closed", how=how, after=after)
            service.leave(self._runtime.host)

    def _end(self, how: str) -> None:
        self._close(how)
        self._runtime.end_session()
        theme.large = False
        self.words.language = self._runtime.session.language
        self._idle.restart(time.monotonic())
        self.home()

    def _tell(self, plugin: str, event: str, **fields: Any) -> None:
        try:
            self._runtime.host[plugin].station.report(event, **fields)
        except KioskError as err:
            log.error("%s of %s was not counted: %s", event, plugin, err)

    def _show_setup(self) -> None:
        from kiosk.ui.setup_screen import SetupScreen

        theme.service = "brand"
        self._uncover()
        setup = self._setup = SetupScreen(self._runtime, self.words)
        setup.fbind("on_claimed", lambda _: self._claimed())
        setup.fbind("on_later", lambda _: self._put_off())
        self.root.show(setup)

    def _put_off(self) -> None:
        self._optional = True
        self.home()

    def _claimed(self) -> None:
        if self._setup is not None:
            self.home()
        elif self._service is None:
            self._front.fill()  # claimed after all, while a visitor was busy: say it, and leave him be

    def _show_fallback(self) -> None:
        if self._service is not None:
            from kiosk.ui import dialogs

            card = dialogs.fallback(self.words, self._runtime.profile)
            card.fbind("on_home", lambda _: self.home())
            self._service.show(card, self._service.route, self._runtime.host)

    def _uncover(self) -> None:
        self.root.cover(None)
        self._countdown = None
        if self._front.idle is not None:
            self._front.wake()

    # what the visitor does

    def _touched(self) -> bool:
        woke = self._idle.touch(time.monotonic())
        if woke:
            self._uncover()
        return woke

    def _bar_item(self, name: str) -> None:
        session = self._runtime.session
        match name:
            case "shell.large":
                theme.large = session.large_text = not theme.large
                self._retell()
            case "shell.language":
                self.words.language = other(self.words.language)
                session.language = "en" if self.words.language == "en" else "zh"
                self._retell()
            case "shell.read":
                self._read()
            case "shell.manager":
                self._show_manager()
            case "shell.finish":
                self._end("left")

    def _retell(self) -> None:
        """Language or text size has changed."""
        if self._service is not None:
            self._service.bar.items = items(self.words.language, service=True)
            self._service.retranslate(self._runtime.host)
        else:
            self._front.fill()

    def _read(self) -> None:
        if self._service is not None:
            words = self._service.spoken(self._runtime.host)
        else:
            words = "\n".join(dict.fromkeys(texts(self._front.view)))
        try:
            self._runtime.speak(words)
        except KioskError as err:
            log.warning("not read aloud: %s", err)

    def _scanned(self, code: str) -> None:
        self._idle.touch(time.monotonic())
        self._uncover()
        if self._setup is not None:
            self._setup.scanned(code)
        elif self._service is not None:
            # Whoever has a service open means that service.
            if not self._runtime.host.call(self._service.plugin, "scanned", code):
                self._explain_code()
        else:
            taken = self._runtime.scanned(code)
            if taken is None:
                self._explain_code()
            elif self._service is None:
                self.go(taken, "")

    def _show_manager(self) -> None:
        from kiosk.ui import dialogs

        dialog = dialogs.manager(self.words, self._runtime.profile, self._runtime.credentials is not None)
        dialog.fbind("on_choose", lambda _: self._show_setup())
        self._cover(dialog)

    def _explain_code(self) -> None:
        from kiosk.ui import dialogs

        self._cover(dialogs.unknown_code(self.words))

    def _cover(self, dialog: "Dialog") -> None:
        dialog.fbind("on_close", lambda _: self.root.cover(None))
        self.root.cover(dialog)

    # what goes on by itself

    def _tick(self) -> None:
        if self._setup is not None and not self._optional:
            self._idle.restart(time.monotonic())
            return
        now = time.monotonic()
        match self._idle.mood(now):
            case Mood.COUNTDOWN:
                self._count_down(self._idle.left(now))
            case Mood.ENDED:
                self._end("idle")
            case Mood.ASLEEP if self._front.idle is None:
                self.home()
                self.root.cover(self._front.sleep())
        if self._service is None:
            self._front.tick()

    def _count_down(self, seconds: int) -> None:
        if self._countdown is None:
            from kiosk.ui import dialogs

            self._countdown = dialogs.countdown(self.words)
            self._countdown.fbind("on_stay", lambda _: self._uncover())
            self.root.cover(self._countdown)
        self._countdown.seconds = seconds

    def _refresh_dirty(self, _: float) -> None:
        dirty, self._dirty = self._dirty, set()
        if isinstance(self.root.content, Splash):
            return
        if self._service is None:
            self._front.refresh(dirty)
        elif dirty & {self._service.plugin, ""}:
            self._service.refresh(self._runtime.host)

    def _faulted(self, plugin: str) -> None:
        if plugin and self._service is not None and plugin == self._service.plugin:
            self._show_fallback()
        elif plugin:
            self.refresh(plugin)
        else:
            now = time.monotonic()
            self._mistakes = [*(each for each in self._mistakes if now - each < WITHIN), now]
            if len(self._mistakes) >= MISTAKES:
                raise GivesUp("the shell fails again and again")
            self._front.rebuild()
            self.home()
