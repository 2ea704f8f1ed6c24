"""What the visitor sees: what is on, how loud, and today's programme slot by slot.

Names of widget classes begin with the plugin's: kv finds its rules by name alone, among all plugins.
"""

import math
from collections.abc import Callable
from functools import partial

from kivy.clock import Clock
from kivy.properties import BooleanProperty, ListProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.widget import Widget

from kiosk.station import Station
from kiosk.ui.screen import ServiceScreen, load_kv
from kiosk.ui.theme import theme
from kiosk.ui.widgets.chip import Chip
from kiosk.ui.widgets.pager import Pager
from kiosk.ui.widgets.surface import Surface
from plugins.broadcast.airing import OnAir
from plugins.broadcast.lines import clock_of, length, slot_state, when
from plugins.broadcast.rules import Item, Slot

#: Chips in one row; more slots than that in a day are shown from the one that is on.
SLOTS_SHOWN = 4
#: Of the face, for one unit of type size.
LINE_HEIGHT = 1.45
ICONS = {
    "news": "newspaper-variant-outline",
    "story": "book-open-variant",
    "policy": "file-document-outline",
    "song": "music-note",
    "topic": "chat-outline",
}


class BroadcastScreen(ServiceScreen):
    """`slot` is the number of the slot that is shown, -1 for the one that is on; `page` of its items."""

    slot = NumericProperty(-1)
    page = NumericProperty(0)
    pages = NumericProperty(1)
    now_line = StringProperty("")
    now_title = StringProperty("")
    slot_line = StringProperty("")
    notice = StringProperty("")
    progress = NumericProperty(0)
    level = NumericProperty(0)
    least = BooleanProperty(False)
    most = BooleanProperty(False)

    def __init__(self, station: Station) -> None:
        self._stop: Callable[[], None] | None = None
        self.relist = Clock.create_trigger(lambda _: self.list_items())
        super().__init__(station)
        # Within reach: at the bottom in portrait, beside the list in landscape.
        place = self.ids.side if self.landscape else self.ids.list
        place.add_widget(BroadcastVolume(screen=self))
        self.on_refresh()

    @property
    def on_air(self) -> OnAir:
        air: OnAir = self.station.store
        return air

    def on_parent(self, *_: object) -> None:
        """Tick only while it is shown."""
        if self._stop:
            self._stop()
        self._stop = self.station.every(1.0, self.tick) if self.parent else None

    def on_refresh(self) -> None:
        self.header_line = self.tr("today")
        self._say_what_is_on()
        self._say_volume()
        self.notice = self.tr("silenced") if self.on_air.silenced else self._senseless()
        self._list()
        self.tick()

    def tick(self) -> None:
        """What moves by itself."""
        self.progress = self.on_air.progress

    def turn_volume(self, step: int) -> None:
        self.on_air.turn(step)
        self._say_volume()

    def choose(self, number: int, *_: object) -> None:
        self.slot, self.page = number, 0
        self._list()

    def turn_page(self, by: int) -> None:
        self.page = max(0, min(self.pages - 1, self.page + by))
        self._list()

    def _say_what_is_on(self) -> None:
        air, tr = self.on_air, self.tr
        if air.on:
            self.now_line, self.now_title = tr("now_on"), air.on.item.title
            return
        self.now_line = tr("now_off")
        following = air.next_slot
        self.now_title = tr("next_at", time=when(following.starts, air.now, tr)) if following else tr("none")

    def _say_volume(self) -> None:
        self.level = self.on_air.level
        self.least = self.level <= 0
        self.most = self.level >= int(self.station.settings["volume_most"])

    def _senseless(self) -> str:
        for each in self.on_air.senseless:
            return self.tr("left_out", title=each.title or each.item_id, why=self.tr(f"why_{each.why}"))
        return ""

    def _list(self) -> None:
        """The slots of the day as chips, and a page of the items of the chosen one."""
        chips, slots = self.ids.chips, self.on_air.plan.slots
        chips.clear_widgets()
        shown = self._shown(slots)
        first = max(0, min(shown - 1, len(slots) - SLOTS_SHOWN))
        for number, slot in list(enumerate(slots))[first : first + SLOTS_SHOWN]:
            chip = Chip(
                text=f"{slot.starts:%H:%M}–{clock_of(slot.items[0].end)}",
                selected=number == shown,
                name=f"broadcast.slot{number}",
            )
            chip.bind(on_release=partial(self.choose, number))
            chips.add_widget(chip)
        self.list_items()

    def list_items(self) -> None:
        """As many items of the chosen slot as there is room for; again whenever the room changes."""
        rows, slots = self.ids.rows, self.on_air.plan.slots
        rows.clear_widgets()
        if not slots:
            self.slot_line, self.pages = "", 1
            title = "none_today" if self.on_air.items else "none"
            rows.add_widget(BroadcastEmpty(title=self.tr(title), line=self.tr("none_line")))
            return
        slot = slots[self._shown(slots)]
        state = slot_state(slot, self.on_air.now, self.tr)
        self.slot_line = self.tr("slot_line", n=len(slot.items), state=state)
        pages = self._pages([self._row(item, slot) for item in slot.items])
        self.pages = len(pages)
        self.page = min(self.page, self.pages - 1)
        for row in pages[int(self.page)]:
            rows.add_widget(row)
        rows.add_widget(Widget())

    def _pages(self, rows: list["BroadcastRow"]) -> list[list["BroadcastRow"]]:
        """The rows by pages: one if all fit, else as many to a page as fit above the pager's buttons."""
        box, gap, pager = self.ids.rows, 20 * theme.u, theme.space + theme.primary_height
        room = box.height + (pager if self.pages > 1 else 0)
        for row in rows:
            row.height = row.needed(box.width)
        if sum(row.height + gap for row in rows) <= room:
            return [rows]
        pages: list[list[BroadcastRow]] = [[]]
        used = 0.0
        for row in rows:
            used += row.height + gap
            if pages[-1] and used > room - pager:
                pages.append([])
                used = row.height + gap
            pages[-1].append(row)
        return pages

    def _shown(self, slots: tuple[Slot, ...]) -> int:
        """The slot that was chosen; else the one that is on, the next one, the last."""
        if 0 <= self.slot < len(slots):
            return int(self.slot)
        now = self.on_air.now
        return next((number for number, slot in enumerate(slots) if slot.ends > now), len(slots) - 1)

    def _row(self, item: Item, slot: Slot) -> "BroadcastRow":
        air, tr = self.on_air, self.tr
        why = next((each.why for each in slot.skipped if each.item_id == item.item_id), None)
        on = air.on is not None and air.on.item.item_id == item.item_id
        times = air.log.times[item.item_id]
        if on:
            state = tr("item_on")
        elif times:
            state = tr("item_played", n=times)
        elif why:
            state = tr(f"why_{why}")
        else:
            state = tr("item_later")
        line = f"{tr('kind_' + item.kind)} · {length(item.seconds, tr)} · {state}"
        return BroadcastRow(
            icon=ICONS[item.kind], title=item.title, line=line, on=on, dim=bool(why) and not on
        )


class BroadcastNow(Surface, BoxLayout):
    """The card of what is on."""

    screen = ObjectProperty(None, rebind=True)


class BroadcastVolume(BoxLayout):
    """Quieter, how loud, louder."""

    screen = ObjectProperty(None, rebind=True)


class BroadcastProgress(Widget):
    """A bar, 0 to 1."""

    value = NumericProperty(0)
    track = ListProperty([0, 0, 0, 0])


class BroadcastRow(Surface, BoxLayout):
    """One item of the programme; `on` while it plays, `dim` while it cannot be played."""

    icon = StringProperty("")
    title = StringProperty("")
    line = StringProperty("")
    on = BooleanProperty(False)
    dim = BooleanProperty(False)

    def needed(self, width: float) -> float:
        """How high it is with all its text, in a list of that width; known before it is drawn."""
        room = max(1.0, width - 2 * 28 * theme.u - theme.icon_square - 28 * theme.u)
        text = 0.0
        for label in (self.ids.title, self.ids.line):
            # A line may break one letter early.
            lines = math.ceil(label.natural_width / max(1.0, room - label.font_size))
            text += (lines if label.natural_width > room else 1) * label.font_size * LINE_HEIGHT
        return max(theme.icon_square, text) + 2 * 16 * theme.u


class BroadcastEmpty(BoxLayout):
    """There is nothing to list, and why."""

    title = StringProperty("")
    line = StringProperty("")


class BroadcastPager(Pager):
    """The pages of a slot with many items."""

    screen = ObjectProperty(None, rebind=True)

    def turn(self, by: int) -> None:
        self.screen.turn_page(by)


load_kv(__file__)
