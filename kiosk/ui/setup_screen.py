"""The first start: where headquarters is, and the code that makes this machine a station."""

import socket
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kivy.clock import Clock
from kivy.properties import BooleanProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout

from kiosk import ui_thread
from kiosk.errors import ClaimError, KioskError
from kiosk.ui.bar import items
from kiosk.ui.service_frame import ServiceFrame
from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules
from kiosk.ui.words import Words, other

if TYPE_CHECKING:
    from kiosk.runtime import Runtime
    from kiosk.ui.widgets.number_pad import NumberPad

CODE_DIGITS = 8
LOOK_AT_NETWORK = 5.0


class SetupBody(BoxLayout):
    """One question: `pad` is what answers it."""

    title = StringProperty("")
    hint = StringProperty("")
    problem = StringProperty("")
    accept = StringProperty("")
    landscape = BooleanProperty(False)
    pad: Any = ObjectProperty(None, allownone=True)

    __events__ = ("on_accept",)

    def on_accept(self) -> None:
        """Connect without encryption, as the text beside the button says."""


class SetupScreen(FloatLayout):
    """`on_claimed` and `on_later` end it. Claiming runs on the pool; what goes wrong is one sentence."""

    busy = BooleanProperty(False)

    __events__ = ("on_claimed", "on_later")

    def __init__(self, runtime: "Runtime", words: Words, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        from kiosk.ui.widgets.keyboard import Keyboard

        self._runtime, self._words = runtime, words
        self._problem: tuple[str, dict[str, object]] | None = None
        self._network: str | None = None
        self._plain = runtime.options.allow_plain
        self._step = 2 if runtime.options.server else 1
        self._frame = ServiceFrame(icon="home-heart")
        self._frame.bar.fbind("on_item", lambda _, name: self._bar_item(name))
        self._body = SetupBody()
        self._body.fbind("on_accept", lambda _: self._accept_plain())
        high = 84 if theme.landscape else 104
        self._address = Keyboard(name="setup.address", key_height=high, max_length=200)
        self._address.value = runtime.options.server or "http://"
        self._address.fbind("on_done", lambda _: self._ask(2))
        self._frame.show(self._body)
        self.add_widget(self._frame)
        self._looking: Any = None
        self.fbind("parent", self._watch)
        self._ask(self._step)

    def on_claimed(self) -> None:
        """This machine is a station now."""

    def on_later(self) -> None:
        """Use the station without headquarters for now."""

    def scanned(self, code: str) -> None:
        """A claim code may be scanned instead of typed."""
        if code.isdigit() and len(code) == CODE_DIGITS and not self.busy:
            self._ask(2)
            self._code.value = code

    @cached_property
    def _code(self) -> "NumberPad":
        from kiosk.ui.widgets.number_pad import NumberPad

        pad = NumberPad(name="setup.code", max_digits=CODE_DIGITS, min_digits=CODE_DIGITS, groups=[4, 4])
        pad.fbind("on_done", lambda _: self._claim())
        return pad

    def _ask(self, step: int) -> None:
        if self.busy:
            return
        self._step, self._problem = step, None
        # The keyboard needs the whole width.
        self._body.landscape = theme.landscape and step == 2
        self._body.pad = self._address if step == 1 else self._code
        self._tell()

    def _tell(self) -> None:
        words, body, frame = self._words, self._body, self._frame
        frame.title, frame.steps = words("setup_title"), [words("setup_step_1"), words("setup_step_2")]
        frame.step = self._step
        frame.line = self._network_words()
        body.title = words("setup_ask_1" if self._step == 1 else "setup_ask_2")
        # Beside the keyboard there is no room for a hint in landscape.
        hint_1 = "" if theme.landscape else words("setup_hint_1")
        body.hint = hint_1 if self._step == 1 else words("setup_hint_2")
        if self.busy:
            body.hint = words("setup_busy")
        body.problem = body.accept = ""
        if self._problem is not None:
            key, values = self._problem
            body.problem = words("setup_plain", **values) if key == PLAIN else words.core(key, **values)
            body.accept = words("setup_accept") if key == PLAIN else ""
        self._address.hint, self._address.done_text = words("setup_step_1"), words("next")
        if self._step == 2:
            self._code.hint, self._code.done_text = words("setup_code_hint"), words("setup_claim")
            self._code.can_done = not self.busy
        large, _, language, _ = items(words.language, service=True)
        back = [("setup.back", "arrow-left", words("back"))] if self._step == 2 and not self.busy else []
        later = ("setup.later", "clock-outline", words("setup_later"))
        frame.bar.items = [large, language, *back, later]

    def _network_words(self) -> str:
        if self._network is None:
            return self._words("network_unknown")
        return self._words("network", address=self._network) if self._network else self._words("no_network")

    def _bar_item(self, name: str) -> None:
        match name:
            case "shell.large":
                theme.large = not theme.large
            case "shell.language":
                self._words.language = other(self._words.language)
                self._tell()
            case "setup.back":
                self._ask(1)
            case "setup.later":
                self.dispatch("on_later")

    def _accept_plain(self) -> None:
        self._plain = True
        self._claim()

    def _claim(self) -> None:
        if self.busy:
            return
        self.busy, self._problem = True, None
        self._tell()
        job = partial(self._work, self._address.value, self._code.value, self._plain)
        self._runtime.place.pool.run("shell", job)

    def _work(self, server: str, code: str, plain: bool) -> None:
        """On the pool: claim and go on line, then tell the UI thread."""
        from kiosk import claim

        if "://" not in server:
            server = f"https://{server}"
        problem: tuple[str, dict[str, object]] | None = None
        try:
            self._runtime.connect(claim.claim(server, code, self._runtime.options.data, plain))
        except ClaimError as err:
            problem = err.key, err.values
        except (KioskError, OSError):
            problem = "core.claim.network", {"server": server}
        ui_thread.call_soon(partial(self._claimed, problem))

    def _claimed(self, problem: tuple[str, dict[str, object]] | None) -> None:
        self.busy, self._problem = False, problem
        if problem is None:
            self.dispatch("on_claimed")
        else:
            self._tell()

    def _watch(self, *_: object) -> None:
        if self.parent is not None and self._looking is None:
            self._looking = Clock.schedule_interval(lambda _: self._look(), LOOK_AT_NETWORK)
            self._look()
        elif self.parent is None and self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def _look(self) -> None:
        server = self._address.value

        def job() -> None:
            address = own_address(server)
            ui_thread.call_soon(lambda: self._found(address))

        self._runtime.place.pool.run("shell", job)

    def _found(self, address: str) -> None:
        self._network = address
        self._frame.line = self._network_words()


PLAIN = "core.plain_refused"


def own_address(server: str) -> str:
    """This machine's address on the way to the server, or empty without a network; sends nothing."""
    host = urlsplit(server if "://" in server else f"//{server}").hostname or "192.0.2.1"
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            # A UDP connect only looks the route up. A name that cannot be resolved falls back to any route.
            try:
                sock.connect((host, 9))
            except OSError:
                sock.connect(("192.0.2.1", 9))
            return str(sock.getsockname()[0])
    except OSError:
        return ""


load_rules(__file__)
