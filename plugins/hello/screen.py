"""What the visitor sees: the overview, and from it one facility, the house rules, the manager's telephone.

Names of widget classes begin with the plugin's: kv finds its rules by name alone, among all plugins.
"""

from functools import partial
from typing import Any

from kivy.properties import ListProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.station import Station
from kiosk.ui.screen import ServiceScreen, load_kv
from kiosk.ui.widgets.choice import ChoiceButton
from kiosk.ui.widgets.pager import Pager
from plugins.hello import rules
from plugins.hello.rules import Facility

A_PAGE = 6  # choices
RUN_LETTERS = 6  # as many as headquarters' pages show

ICONS = {
    "hot_water": "cup-water",
    "microwave": "microwave",
    "charging": "cellphone-charging",
    "medicine": "medical-bag",
    "umbrella": "umbrella",
    "wifi": "wifi",
    "rest": "seat",
    "toilet": "toilet",
    "shower": "shower-head",
    "cooling": "snowflake",
    "heating": "radiator",
    "books": "book-open-variant",
    "tools": "hammer-wrench",
    "other": "check-circle-outline",
}


class HelloScreen(ServiceScreen):
    """Shows one page at a time; `page` counts the pages of facilities from 0."""

    page = NumericProperty(0)
    pages = NumericProperty(1)

    def __init__(self, station: Station, route: str = "") -> None:
        super().__init__(station)
        self._draw = self.overview
        self.overview()

    def on_refresh(self) -> None:
        self._draw()

    def overview(self) -> None:
        offered = self.station.store.facilities()
        is_open = rules.is_open(self.station.profile.hours, self.station.clock.now().time())
        self.pages = -(-len(offered) // A_PAGE) or 1
        state = {True: "open_now", False: "closed_now", None: ""}[is_open]
        page = HelloOverview(
            screen=self,
            hours=self.station.profile.hours or self.tr("hours_unknown"),
            state=self.tr(state) if state else "",
            state_kind="good" if is_open else "warning",
            question=self.tr("offers") if offered else self.tr("offers_none"),
        )
        for each in offered[self.page * A_PAGE : (self.page + 1) * A_PAGE]:
            button = ChoiceButton(
                text=self.name_of(each), icon=ICONS[each.id], name=f"hello.{each.id}", size_hint_y=1
            )
            button.bind(on_release=partial(self.ask, each))
            page.ids.offers.add_widget(button)
        if len(offered) > A_PAGE:
            # A last page that is not full keeps the buttons where they were.
            for _ in range(A_PAGE - len(page.ids.offers.children)):
                page.ids.offers.add_widget(Widget())
        self._show(page, self.overview)

    def turn(self, number: int) -> None:
        self.page = number
        self.overview()

    def ask(self, facility: Facility, *_: object) -> None:
        self.station.store.ask(facility.id)
        self.facility(facility)

    def ask_rules(self) -> None:
        self.station.store.ask("rules")
        self.house_rules()

    def ask_manager(self) -> None:
        self.station.store.ask("manager")
        self.manager()

    def facility(self, facility: Facility) -> None:
        page = HelloFact(
            screen=self,
            icon=ICONS[facility.id],
            title=self.name_of(facility),
            text=self.tr(f"tip_{facility.id}"),
        )
        self._show(page, partial(self.facility, facility))

    def house_rules(self) -> None:
        usual = [self.tr(f"rule_{number}") for number in range(1, 6)]
        lines = rules.house_rules(str(self.station.settings["house_rules"]), usual)
        self._show(HelloRules(screen=self, lines=lines), self.house_rules)

    def manager(self) -> None:
        profile = self.station.profile
        phone = profile.manager_phone
        page = HelloFact(
            screen=self,
            icon="phone",
            title=self.tr("manager"),
            number=phone,
            text=self.tr("manager_call" if phone else "manager_none"),
            caption=self.tr("run", id=profile.id or "—", run=profile.run[:RUN_LETTERS]),
        )
        self._show(page, self.manager)

    def name_of(self, facility: Facility) -> str:
        return facility.written if facility.id == rules.OTHER else self.tr(facility.id)

    def _show(self, page: BoxLayout, draw: Any) -> None:
        self._draw = draw
        self.clear_widgets()
        self.add_widget(page)


class HelloPage(BoxLayout):
    """One page; `screen` is the HelloScreen around it."""

    screen = ObjectProperty(None)


class HelloOverview(HelloPage):
    hours = StringProperty("")
    state = StringProperty("")
    state_kind = StringProperty("good")
    question = StringProperty("")


class HelloPager(Pager):
    """The pages of facilities: beside the question in landscape, below the facilities in portrait."""

    screen = ObjectProperty(None)

    def turn(self, by: int) -> None:
        self.screen.turn(self.screen.page + by)


class HelloFact(HelloPage):
    """An icon, what it is, a number to call if there is one, a sentence, and what only the manager needs."""

    icon = StringProperty("")
    title = StringProperty("")
    number = StringProperty("")
    text = StringProperty("")
    caption = StringProperty("")


class HelloRules(HelloPage):
    lines = ListProperty()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for number, line in enumerate(self.lines, 1):
            self.ids.lines.add_widget(HelloRule(number=str(number), text=line))


class HelloRule(BoxLayout):
    number = StringProperty("")
    text = StringProperty("")


load_kv(__file__)
