"""What the visitor sees: one question, then that it is done. The store's `step` says which page comes.

Names of widget classes begin with the plugin's: kv finds its rules by name alone, among all plugins.
"""

import datetime as dt
from collections.abc import Callable

from kivy.properties import ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout

from kiosk.station import Station
from kiosk.ui.screen import ServiceScreen, load_kv
from kiosk.ui.widgets.choice import ChoiceButton
from plugins.check_in import rules
from plugins.check_in.rules import Verdict

#: The text of a button and what it does.
Button = tuple[str, Callable[[], object]]

ICONS = {
    "delivery": "moped",
    "courier": "package-variant-closed",
    "sanitation": "broom",
    "trucker": "truck",
    "ride_hailing": "taxi",
    "other": "account-hard-hat",
}


class CheckInScreen(ServiceScreen):
    """Opened by a tap on the tile, or by a code that a reader has read."""

    def __init__(self, station: Station, route: str = "") -> None:
        super().__init__(station)
        self._draw: Callable[[], None] = lambda: None
        station.store.shown = lambda: self.get_root_window() is not None
        self.proceed()

    def on_refresh(self) -> None:
        self._draw()

    def proceed(self) -> None:
        """Go on as far as nothing needs to be asked."""
        store = self.station.store
        match store.step():
            case "misread":
                self.misread()
            case "again":
                self.again(store.judge())
            case "sign":
                self.sign(self.station.session.facts["trade"])
            case _:
                self.ask()

    def ask(self) -> None:
        store = self.station.store
        page = CheckInAsk(screen=self, code=self.tr("line_code") if store.read else "")
        for trade in rules.TRADES:
            button = ChoiceButton(
                text=self.tr(trade), icon=ICONS[trade], name=f"check_in.{trade}", size_hint_y=1
            )
            button.bind(on_release=lambda *_, trade=trade: self.sign(trade))
            page.ids.trades.add_widget(button)
        self._show(page, self.ask)

    def ask_code(self) -> None:
        self._show(CheckInCode(screen=self), lambda: None)

    def typed(self, digits: str) -> None:
        if self.station.store.type_in(digits):
            self.proceed()

    def without_code(self) -> None:
        self.station.store.without_code()
        self.proceed()

    def sign(self, trade: str) -> None:
        store = self.station.store
        first = store.read is not None and bool(store.judge().first_today)
        self._message("saving", "", "timer-sand", kind="plain")
        store.sign_in(trade).then(lambda receipt: self.done(first) if receipt.ok else self.failed(trade))

    def done(self, first: bool) -> None:
        self.station.store.done = True
        self._message(
            "done",
            "done_first" if first else "done_line",
            "check-circle",
            other=("home", self.station.home),
            main=("finish", self.station.finish),
            n=self.station.store.visits(),
        )

    def again(self, verdict: Verdict) -> None:
        self.station.store.done = True
        since = verdict.since.wall_ms if verdict.since else self.station.clock.wall_ms()
        at = dt.datetime.fromtimestamp(since / 1000, self.station.clock.zone)
        self._message(
            "again",
            "again_line",
            "check-circle",
            other=("home", self.station.home),
            main=("finish", self.station.finish),
            time=f"{at:%H:%M}",
        )

    def misread(self) -> None:
        self._message(
            "not_read",
            "not_read_line",
            "qrcode-remove",
            kind="warning",
            other=("type_code", self.ask_code),
            main=("no_code", self.without_code),
        )

    def failed(self, trade: str) -> None:
        self._message(
            "failed",
            "failed_line",
            "alert-circle",
            kind="warning",
            other=("back", self.station.home),
            main=("retry", lambda: self.sign(trade)),
        )

    def _message(
        self,
        title: str,
        text: str,
        icon: str,
        kind: str = "good",
        other: Button | None = None,
        main: Button | None = None,
        **values: object,
    ) -> None:
        def draw() -> None:
            page = CheckInMessage(
                screen=self,
                kind=kind,
                icon=icon,
                title=self.tr(title, **values),
                text=self.tr(text) if text else "",
                other=self.tr(other[0]) if other else "",
                main=self.tr(main[0]) if main else "",
                other_does=other[1] if other else None,
                main_does=main[1] if main else None,
            )
            self._show(page, draw)

        draw()

    def _show(self, page: BoxLayout, draw: Callable[[], None]) -> None:
        self._draw = draw
        self.clear_widgets()
        self.add_widget(page)


class CheckInPage(BoxLayout):
    """One page; `screen` is the CheckInScreen around it."""

    screen = ObjectProperty(None)


class CheckInAsk(CheckInPage):
    """The one question; `code` says that a member code was read."""

    code = StringProperty("")


class CheckInCode(CheckInPage):
    """A member number by finger."""


class CheckInMessage(CheckInPage):
    """How it ended: good, a warning, or plain while it is not known yet."""

    kind = StringProperty("good")
    icon = StringProperty("")
    title = StringProperty("")
    text = StringProperty("")
    other = StringProperty("")
    main = StringProperty("")
    other_does = ObjectProperty(None, allownone=True)
    main_does = ObjectProperty(None, allownone=True)


load_kv(__file__)
