"""How slots, people and days are said."""

from datetime import date
from typing import TYPE_CHECKING, Any

from plugins.legal_aid.rules import Duty, Outlook, Slot

if TYPE_CHECKING:
    from kiosk.station import Station
    from plugins.legal_aid.store import Booking


class Words:
    """Texts of the plugin, in the language of the session."""

    def __init__(self, station: "Station") -> None:
        self._tr = station.tr
        self._today = station.clock.today

    def day(self, day: date) -> str:
        """Today, tomorrow, or weekday and date."""
        ahead = (day - self._today()).days
        if ahead in (0, 1):
            return self._tr("today" if ahead == 0 else "tomorrow")
        weekday, month = self._tr(f"weekday_{day.isoweekday()}"), self._tr(f"month_{day.month}")
        return self._tr("day", weekday=weekday, month=month, day=day.day)

    def time(self, slot: Slot) -> str:
        return slot.start.isoformat("minutes")

    def when(self, slot: Slot) -> str:
        """Day and time."""
        return self._tr("when", day=self.day(slot.date), time=self.time(slot))

    def chosen(self, slot: Slot | None) -> str:
        """Day, time and person; empty for none."""
        return self._tr("chosen", when=self.when(slot), person=self.person(slot)) if slot else ""

    def person(self, duty: Duty | Slot) -> str:
        """The name on the rota; who is only a number, or only on duty, in the visitor's language."""
        number = duty.number
        if number:
            return self._tr(f"{duty.role}_numbered", n=number)
        return self._tr(duty.role) if duty.person.startswith("值班") or not duty.person else duty.person

    def mark(self, duty: Duty) -> str:
        """What stands in the circle: the number, or the first sign of the role."""
        return duty.number or self._tr(f"{duty.role}_mark")

    def line(self, duty: Duty) -> str:
        """Matters, day and room."""
        between = self._tr("between")
        matters = between.join(self._tr(f"{each}_short") for each in duty.matters)
        place = f"{self.day(duty.date)} {duty.room}".strip()
        return f"{matters}    {place}".strip()

    def answer(self, booking: "Booking", online: bool) -> dict[str, Any]:
        """What the last step says about a booking that is asked, confirmed or refused."""
        tr, status = self._tr, booking.status
        where = [self.chosen(booking.slot), booking.slot.room]
        if status == "refused":
            why = {"past": "refused_past", "other_matter": "refused_matter"}.get(booking.why, "refused_line")
            return {
                "title": tr("refused_title"),
                "where": where,
                "text": tr(why),
                "primary": tr("other_times"),
            }
        shown = {
            "caption": tr(f"{status}_number"),
            "number": booking.code if status == "confirmed" else booking.number,
            "where": where,
            "text": tr(f"{status}_keep"),
            "primary": tr("done"),
        }
        if status == "confirmed":
            return shown | {"title": tr("confirmed_title")}
        if online:
            return shown | {"title": tr("asked_title"), "note": tr("asked_online")}
        return shown | {"title": tr("asked_title_offline"), "note": tr("asked_offline")}

    def outlook(self, outlook: Outlook) -> str:
        """The live line of the tile."""
        if outlook.today:
            return self._tr("live_lawyer" if outlook.lawyer_today else "live_today", n=outlook.today)
        return self._tr("live_next", when=self.when(outlook.next)) if outlook.next else self._tr("live_none")
