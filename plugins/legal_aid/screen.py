"""What the visitor sees: the matter, the time, the contact, the number; and looking a booking up."""

import re
import secrets
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from kivy.uix.widget import Widget

from kiosk.errors import Busy, Unsealable
from kiosk.station import Station
from kiosk.ui.screen import ServiceScreen, load_kv
from kiosk.ui.theme import theme
from kiosk.ui.widgets.chip import Chip
from kiosk.ui.widgets.choice import ChoiceButton
from plugins.legal_aid import rules
from plugins.legal_aid.pages import Contact, DutyCard, Kept, LookUp, Matters, Others, Outcome, Page, Times
from plugins.legal_aid.rules import Duty, Slot
from plugins.legal_aid.words import Words

if TYPE_CHECKING:
    from kiosk.receipt import Receipt
    from plugins.legal_aid.store import Booking

MATTER_ICONS = {
    "wages": "cash-clock",
    "injury": "bandage",
    "contract": "file-sign",
    "rent": "home-city-outline",
    "other": "help-circle-outline",
}
OUTCOME_ICONS = {
    "asked": "send-clock-outline",
    "confirmed": "check-circle",
    "taken": "calendar-refresh-outline",
    "refused": "alert-circle-outline",
}


class LegalAidScreen(ServiceScreen):
    """Walks the four steps. What it knows of the visitor ends with it: it is never written anywhere."""

    def __init__(self, station: Station, route: str = "") -> None:
        self._words = Words(station)
        self._draw: Callable[[], None] = self.matters
        self._matter = ""
        self._slot: Slot | None = None
        self._notice = ""
        self._page = 0
        self._digits = ""  # of the telephone
        self._sealed = ""
        self._number = ""  # of the booking looked for
        self._request = ""
        self._mine: set[str] = set()  # requests made here, whose contact is still at hand
        self._failed = False
        self._stored = False
        super().__init__(station)
        self._draw = self.look_up if route == "lookup" else self.matters
        self.on_refresh()

    def on_refresh(self) -> None:
        lawyers = self.station.store.lawyers()
        self.header_line = self.tr("header_line", n=lawyers) if lawyers else ""
        self._draw()

    def spoken(self) -> str:
        """Everything but numbers: those are the visitor's own."""
        lines = super().spoken().split("\n")
        return "\n".join(line for line in lines if not re.fullmatch(r"[0-9* ]+", line))

    # 1: what it is about

    def matters(self) -> None:
        self._notice = ""
        page = Matters(screen=self)
        for each in rules.MATTERS:
            button = ChoiceButton(
                text=self.tr(each),
                line=self.tr(f"{each}_line"),
                icon=MATTER_ICONS[each],
                name=f"legal_aid.{each}",
                size_hint_y=1,
            )
            button.bind(on_release=partial(self._choose_matter, each))
            page.ids.choices.add_widget(button)
        find = ChoiceButton(
            text=self.tr("look_up"),
            line=self.tr("look_up_line"),
            icon="magnify",
            name="legal_aid.look_up",
            size_hint_y=1,
        )
        find.bind(on_release=lambda _: self.look_up())
        page.ids.choices.add_widget(find)
        self._show(page, self.matters, 1)

    def _choose_matter(self, matter: str, *_: object) -> None:
        self._matter, self._page, self._slot, self._notice = matter, 0, None, ""
        self.times()

    # 2: when, and with whom

    def times(self) -> None:
        offered = self.station.store.offered(self._matter)
        if self._slot is not None and not self._still_free(offered):
            self._notice, self._slot = self.tr("time_gone", time=self._words.time(self._slot)), None
        cards = rules.duties(offered)
        if not cards:
            return self._no_times()
        columns = 3 if theme.landscape and theme.large else 4
        pages = _paged(cards, columns)
        self._page = min(self._page, len(pages) - 1)
        page = Times(
            screen=self,
            title=self._notice or self.tr("time_question", matter=self.tr(f"{self._matter}_title")),
            note="" if len(pages) > 1 else self.tr("offline_note"),
            primary=self.tr("take_time", time=self._words.time(self._slot))
            if self._slot
            else self.tr("choose_time"),
            ready=self._slot is not None,
            page=self._page,
            pages=len(pages),
        )
        for duty in pages[self._page]:
            page.ids.cards.add_widget(self._card(duty, columns))
        if theme.landscape:
            for _ in range(2 - len(pages[self._page])):
                page.ids.cards.add_widget(Widget())
        return self._show(page, self.times, 2)

    def _no_times(self) -> None:
        page = self._outcome(
            "calendar-remove-outline",
            title=self.tr("time_none"),
            text=self.tr("time_none_line"),
            secondary=self.tr("back"),
            back=self.matters,
        )
        self._show(page, self.times, 2)

    def _card(self, duty: Duty, columns: int) -> DutyCard:
        card = DutyCard(
            mark=self._words.mark(duty), title=self._words.person(duty), line=self._words.line(duty)
        )
        card.ids.chips.cols = columns
        for slot in duty.slots:
            card.ids.chips.add_widget(self._chip(slot, self._words.time(slot)))
        for _ in range(-len(duty.slots) % columns):
            card.ids.chips.add_widget(Widget(size_hint_y=None, height=0))
        return card

    def _chip(self, slot: Slot, text: str) -> Chip:
        chip = Chip(
            text=text,
            disabled=not slot.free,
            selected=self._slot is not None and self._slot.slot_id == slot.slot_id,
            name=f"legal_aid.slot.{slot.slot_id}",
        )
        chip.bind(on_release=partial(self._choose_slot, slot))
        return chip

    def _choose_slot(self, slot: Slot, *_: object) -> None:
        self._slot, self._notice = slot, ""
        self._draw()

    def back_to_times(self) -> None:
        """From the contact back to the rota; what is chosen and typed stays."""
        self._notice = ""
        self.times()

    def turn(self, number: int) -> None:
        """Show another page of cards."""
        if number != self._page:
            self._page = number
            self.times()

    def _still_free(self, offered: tuple[Slot, ...]) -> bool:
        return any(slot.free and self._slot and slot.slot_id == self._slot.slot_id for slot in offered)

    # 3: a telephone number, or none

    def contact(self) -> None:
        if self._slot is None or not self._still_free(self.station.store.offered(self._matter)):
            return self.times()
        page = Contact(
            screen=self, chosen=self._words.chosen(self._slot), digits=self._digits, notice=self._notice
        )
        pad = page.ids.pad
        pad.groups = rules.groups(self._digits)
        pad.bind(value=self._typed, on_done=lambda _: self._phone_done())
        return self._show(page, self.contact, 3)

    def _typed(self, pad: Widget, digits: str) -> None:
        self._digits = digits
        pad.groups = rules.groups(digits)

    def _phone_done(self) -> None:
        if rules.is_phone(self._digits):
            self._notice = ""
            self.kept()
        else:
            self._notice = self.tr("phone_wrong")
            self.contact()

    def kept(self) -> None:
        """The number as it is shown from now on, before it is sealed."""
        page = Kept(screen=self, chosen=self._words.chosen(self._slot), phone=rules.masked(self._digits))
        self._show(page, self.kept, 3)

    def number_only(self) -> None:
        self._digits = self._sealed = ""
        self._take()

    def take_with_phone(self) -> None:
        """Seal first: nothing that can be read is handed on."""
        phone, station = self._digits, self.station

        def seal() -> str:
            try:
                return station.seal(station.plugin.requests["place_booking"].office, {"phone": phone})
            except Unsealable:
                return ""

        try:
            station.run(seal, self._sealed_as, lambda _: self._sealed_as(""))
        except Busy:
            self._sealed_as("")

    def _sealed_as(self, sealed: str) -> None:
        self._digits, self._sealed = "", sealed
        if sealed:
            self._take()
        else:
            self._notice = self.tr("unsealed")
            self.contact()

    # 4: the number

    def _take(self) -> None:
        if self._slot is None:
            return
        self._request, self._notice = secrets.token_hex(12), ""
        self._mine.add(self._request)
        self._store()

    def _store(self) -> None:
        self._failed = self._stored = False
        request, slot = self._request, self._slot

        def settled(receipt: "Receipt[str]") -> None:
            if self._request == request:
                self._stored = receipt.ok and self.station.store.booking(request) is not None
                self._failed = not self._stored
                self._draw()

        if slot is not None:
            self.station.store.ask(slot, self._matter, self._sealed, request).then(settled)
        self.outcome()

    def outcome(self) -> None:
        booking = self.station.store.booking(self._request)
        if booking is not None and (self._stored or booking.status != "asked"):
            page = self._answer(booking)
        elif self._failed:
            page = self._outcome(
                "alert-circle-outline", title=self.tr("failed"), primary=self.tr("again"), ahead=self._store
            )
        else:
            page = Outcome(screen=self, icon="content-save-outline", title=self.tr("saving"))
        self._show(page, self.outcome, 4 if self._matter else 0)

    def _answer(self, booking: "Booking") -> Outcome:
        """The page of one booking as it stands."""
        if booking.status == "taken":
            return self._taken(booking)
        ahead = self.station.finish if booking.status != "refused" else self._other_times(booking)
        shown = self._words.answer(booking, self.station.online)
        return self._outcome(
            OUTCOME_ICONS[booking.status], good=booking.status == "confirmed", ahead=ahead, **shown
        )

    def _taken(self, booking: "Booking") -> Outcome:
        """Somebody else was first: offer what the centre has named and is still free."""
        time = self._words.time(booking.slot)
        others = self.station.store.slots(booking.alternatives)
        choosing = self._slot is not None and self._still_free(others)
        page = self._outcome(
            OUTCOME_ICONS["taken"],
            title=self.tr("taken_title" if others else "taken_none", time=time),
            text="" if others else self.tr("taken_none_line"),
            primary=self.tr("take_time", time=self._words.time(self._slot))
            if self._slot and choosing
            else self.tr("other_times"),
            ahead=partial(self._take_other, booking) if choosing else self._other_times(booking),
        )
        if others:
            chips = Others()
            for slot in others:
                chips.add_widget(self._chip(slot, self._words.when(slot)))
            page.ids.details.add_widget(chips)
        return page

    def _outcome(self, icon: str, **shown: Any) -> Outcome:
        shown = {"secondary": self.tr("home"), "back": self.station.home} | shown
        return Outcome(screen=self, icon=icon, **shown)

    def _take_other(self, booking: "Booking") -> None:
        """Another slot: with the contact just sealed, or as number only; who comes back is asked again."""
        self._matter = booking.matter
        if booking.request in self._mine:
            self._take()
        else:
            self.contact()

    def _other_times(self, booking: "Booking") -> Callable[[], None]:
        return partial(self._choose_matter, booking.matter)

    # Looking a booking up

    def look_up(self) -> None:
        self._matter, self._request, self._stored = "", "", False
        page = LookUp(screen=self, digits=self._number, notice=self._notice)
        page.ids.pad.bind(on_done=lambda pad: self._find(pad.value), value=self._number_typed)
        self._show(page, self.look_up, 0)

    def _number_typed(self, _: Widget, digits: str) -> None:
        self._number = digits

    def _find(self, digits: str) -> None:
        booking = self.station.store.find(digits)
        if booking is None:
            self._notice, self._number = self.tr("look_up_none"), ""
            return self.look_up()
        self._notice, self._number, self._request, self._stored = "", "", booking.request, True
        return self.outcome()

    def _show(self, page: Page, draw: Callable[[], None], step: int) -> None:
        self._draw = draw
        self.steps = (
            [self.tr(f"step_{each}") for each in ("matter", "time", "contact", "number")] if step else []
        )
        self.step = step
        self.clear_widgets()
        self.add_widget(page)


def _paged(cards: Sequence[Duty], columns: int) -> tuple[tuple[Duty, ...], ...]:
    """The cards in pages: side by side in landscape, else as many as have room, with a pager below or not."""
    if theme.landscape:
        return rules.pages(cards, columns, most=2)
    pages = rules.pages(cards, columns, room=7 if theme.large else 9)
    return pages if len(pages) == 1 or not theme.large else rules.pages(cards, columns, room=6)


load_kv(__file__)
