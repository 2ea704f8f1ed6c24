"""What the visitor sees: the list, what to filter it by, a search by letters, one post with its code.

Names of widget classes begin with the plugin's: kv finds its rules by name alone, among all plugins.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from kivy.properties import BooleanProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.station import Station
from kiosk.ui.screen import ServiceScreen, load_kv
from kiosk.ui.widgets.choice import ChoiceButton
from kiosk.ui.widgets.pager import Pager
from kiosk.ui.widgets.tappable import TapArea
from plugins.jobs import rules
from plugins.jobs.rules import Choice, Phrase, Post, Query

POSTS_A_PAGE = 4
CHOICES_A_PAGE = 6

ICONS = {
    "": "format-list-bulleted",
    "delivery": "moped",
    "courier": "package-variant-closed",
    "sanitation": "broom",
    "trucker": "truck",
    "ride_hailing": "taxi",
    "security": "shield-account",
    "kitchen": "silverware-fork-knife",
    "factory": "factory",
    "office": "desk",
    "other": "account-hard-hat",
}


class JobsScreen(ServiceScreen):
    """Shows one page at a time; `page` is that of the list, from 0."""

    page = NumericProperty(0)

    def __init__(self, station: Station, route: str = "") -> None:
        super().__init__(station)
        station.store.begin()
        self._draw: Callable[[], None] = self.posts
        self.posts()

    def on_refresh(self) -> None:
        self._draw()

    # the list

    def posts(self) -> None:
        store = self.station.store
        query, found = store.query, store.found(store.query)
        if not found:
            self._empty(query)
            return
        pages = rules.pages(len(found), POSTS_A_PAGE)
        self.page = min(self.page, pages - 1)
        page = JobsList(
            screen=self,
            title=self.tr("count" if query == Query() else "count_found", n=len(found)),
            trade=self.tr(query.trade) if query.trade else self.tr("filter_trade"),
            area=query.area or self.tr("filter_area"),
            words=query.words or self.tr("search"),
            query=query,
            pages=pages,
        )
        for post in rules.page(found, self.page, POSTS_A_PAGE):
            page.ids.posts.add_widget(self._row(post))
        _fill(page.ids.posts, POSTS_A_PAGE)
        self._show(page, self.posts)

    def _row(self, post: Post) -> "JobsRow":
        age = rules.age(post, self.station.clock.today())
        row = JobsRow(
            name=f"jobs.{post.job_id}",
            icon=ICONS.get(post.trade, ICONS["other"]),
            title=post.title,
            pay=self.say(rules.pay(post)),
            line=" · ".join([*rules.where(post), *([self.tr(post.shift)] if post.shift else [])]),
            age=self.say(age),
            fresh=age.key == "posted_today",
        )
        row.bind(on_release=lambda *_: self.open(post))
        return row

    def _empty(self, query: Query) -> None:
        all_posts = query == Query()
        page = JobsMessage(
            screen=self,
            icon="briefcase-search",
            title=self.tr("none" if all_posts else "none_found"),
            text=self.tr("none_line" if all_posts else "none_found_line"),
            main="" if all_posts else self.tr("show_all"),
            main_does=partial(self.look, Query()),
        )
        self._show(page, self.posts)

    def turn(self, number: int) -> None:
        self.page = number
        self.posts()

    def look(self, query: Query) -> None:
        """Show what fits, from the first page on."""
        self.page = 0
        self.station.store.look(query)
        self.posts()

    # filters

    def choose_trade(self, number: int = 0) -> None:
        store = self.station.store
        query = store.query
        offered = rules.choices(post.trade for post in store.found(replace(query, trade="")))

        def button(choice: Choice) -> ChoiceButton:
            text = self.tr(choice.value or "all_trades")
            return ChoiceButton(
                text=text,
                icon=ICONS[choice.value],
                name=f"jobs.trade.{choice.value or 'all'}",
                selected=choice.value == query.trade,
            )

        self._choose("choose_trade", offered, number, button, "trade", self.choose_trade)

    def choose_area(self, number: int = 0) -> None:
        store = self.station.store
        query = store.query
        offered = rules.choices(post.area for post in store.found(replace(query, area="")))

        def button(choice: Choice) -> ChoiceButton:
            return ChoiceButton(
                text=choice.value or self.tr("all_areas"),
                name=f"jobs.area.{choice.value or 'all'}",
                selected=choice.value == query.area,
            )

        self._choose("choose_area", offered, number, button, "area", self.choose_area)

    def _choose(
        self,
        question: str,
        offered: tuple[Choice, ...],
        number: int,
        button: Callable[[Choice], ChoiceButton],
        part: str,
        again: Callable[[int], None],
    ) -> None:
        pages = rules.pages(len(offered), CHOICES_A_PAGE)
        page = JobsChoice(screen=self, title=self.tr(question), page=number, pages=pages, turned=again)
        for choice in rules.page(offered, number, CHOICES_A_PAGE):
            each = button(choice)
            each.line = self.tr("choice_count", n=choice.count)
            each.size_hint_y = 1
            query = replace(self.station.store.query, **{part: choice.value})
            each.bind(on_release=lambda *_, query=query: self.look(query))
            page.ids.choices.add_widget(each)
        _fill(page.ids.choices, CHOICES_A_PAGE)
        self._show(page, partial(again, number))

    # search

    def search(self) -> None:
        self._typing(self.station.store.query.words)

    def _typing(self, letters: str) -> None:
        page = JobsSearch(screen=self, letters=letters)
        page.update()

        def draw() -> None:
            self._typing(page.ids.pad.value)

        self._show(page, draw)

    # one post

    def open(self, post: Post) -> None:
        self.station.store.view(post)
        self.post(post.job_id)

    def post(self, job_id: str) -> None:
        post = self.station.store.post(job_id)
        if post is None:
            self._gone(job_id)
            return
        page = JobsPost(screen=self, job_id=job_id, title=post.title, pay=self.say(rules.pay(post)))
        hours = [self.tr(post.shift)] if post.shift else []
        kind = {"day": "kind_day"}.get(post.kind, post.kind)
        hours += [self.tr(kind)] if kind else []
        expires = Phrase("expires_on", {"month": post.expires.month, "day": post.expires.day})
        age = self.say(rules.age(post, self.station.clock.today()))
        for icon, text, lines in (
            ("map-marker", " · ".join(rules.where(post)), 2),
            ("clock-outline", " · ".join(hours), 1),
            ("calendar", self.tr("dates", posted=age, expires=self.say(expires)), 2),
            ("phone", post.phone or self.tr("phone_none"), 1),
            ("text", post.detail, 3),
        ):
            if text:
                page.ids.facts.add_widget(JobsFact(icon=icon, text=text, lines=lines))
        page.url = self.station.public_url(f"jobs/{job_id}")
        n = self.station.store.taken(post)
        page.taken = self.tr("taken_before", n=n) if n else ""
        self._show(page, partial(self.post, job_id))

    def take(self, page: "JobsPost") -> None:
        post = self.station.store.post(page.job_id)
        if post is None:
            self._gone(page.job_id)
            return
        page.saving = True
        self.station.store.take(post).then(lambda receipt: self._taken(page, receipt.ok))

    def _taken(self, page: "JobsPost", ok: bool) -> None:
        if page.parent is None:
            return
        if ok:
            self._message("check-circle", "taken_done", "taken_done_line")
        else:
            page.saving, page.problem = False, self.tr("taken_failed")

    def _gone(self, job_id: str) -> None:
        self._message("calendar-remove", "gone", "gone_line")

    def _message(self, icon: str, title: str, text: str) -> None:
        page = JobsMessage(
            screen=self,
            icon=icon,
            title=self.tr(title),
            text=self.tr(text),
            main=self.tr("more"),
            main_does=self.posts,
        )
        self._show(page, partial(self._message, icon, title, text))

    def say(self, phrase: Phrase) -> str:
        return self.tr(phrase.key, **phrase.values)

    def _show(self, page: BoxLayout, draw: Callable[[], None]) -> None:
        self._draw = draw
        self.clear_widgets()
        self.add_widget(page)


class JobsPage(BoxLayout):
    """One page; `screen` is the JobsScreen around it."""

    screen = ObjectProperty(None)


class JobsList(JobsPage):
    title = StringProperty("")
    trade = StringProperty("")
    area = StringProperty("")
    words = StringProperty("")
    query = ObjectProperty(None)
    pages = NumericProperty(1)


class JobsRow(TapArea):
    """One post in the list."""

    icon = StringProperty("")
    title = StringProperty("")
    pay = StringProperty("")
    line = StringProperty("")
    age = StringProperty("")
    fresh = BooleanProperty(False)


class JobsPager(Pager):
    """Tells `turned(page)`, which draws anew."""

    turned = ObjectProperty(None)

    def turn(self, by: int) -> None:
        self.turned(int(self.page) + by)


class JobsChoice(JobsPage):
    """Values to filter by; `turned(page)` shows another page of them."""

    title = StringProperty("")
    page = NumericProperty(0)
    pages = NumericProperty(1)
    turned = ObjectProperty(None)


class JobsSearch(JobsPage):
    """Letters, and how much they find."""

    letters = StringProperty("")
    state = StringProperty("")
    done = StringProperty("")
    hits = NumericProperty(0)

    def update(self) -> None:
        """Say what the letters that are typed find."""
        store, tr = self.screen.station.store, self.screen.tr
        letters = self.ids.pad.value
        self.hits = len(store.found(Query(words=letters))) if letters else 0
        self.done = tr("search_show", n=self.hits) if self.hits else tr("search")
        nothing = bool(letters) and not self.hits
        self.state = tr("search_preparing") if not store.ready else tr("search_none") if nothing else ""

    def show(self) -> None:
        self.screen.look(Query(words=self.ids.pad.value))


class JobsPost(JobsPage):
    job_id = StringProperty("")
    title = StringProperty("")
    pay = StringProperty("")
    url = StringProperty("")
    taken = StringProperty("")
    problem = StringProperty("")
    saving = BooleanProperty(False)


class JobsFact(BoxLayout):
    """One thing to know. What does not fit its lines is on the page that the phone opens."""

    lines = NumericProperty(1)
    icon = StringProperty("")
    text = StringProperty("")


class JobsMessage(JobsPage):
    """Nothing to show, gone, or done; and where to go on."""

    icon = StringProperty("")
    title = StringProperty("")
    text = StringProperty("")
    main = StringProperty("")
    main_does = ObjectProperty(None)


def _fill(grid: Any, size: int) -> None:
    """Empty places, so that a page that is not full keeps everything where it was."""
    for _ in range(size - len(grid.children)):
        grid.add_widget(Widget())


load_kv(__file__)
