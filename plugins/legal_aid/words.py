"""How slots, people and days are said."""

from datetime import date
from typing import TYPE_CHECKING

from plugins.legal_aid.rules import Duty, Outlook, Slot

if TYPE_CHECKING:
    from kiosk.station import Station


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

    def person(self, duty: Duty | Slot) -> str:
        """The name on the rota; numbered lawyers and mediators in the visitor's language."""
        number = duty.number
        if number:
            return self._tr(f"{duty.role}_numbered", n=number)
        return duty.person or self._tr(duty.role)

    def mark(self, duty: Duty) -> str:
        """What stands in the circle: the number, or the first sign of the role."""
        return duty.number or self._tr(f"{duty.role}_mark")

    def line(self, duty: Duty) -> str:
        """Matters, day and room."""
        between = self._tr("between")
        matters = between.join(self._tr(f"{each}_short") for each in duty.matters)
        place = f"{self.day(duty.date)} {duty.room}".strip()
        return f"{matters}    {place}".strip()

    def outlook(self, outlook: Outlook) -> str:
        """The live line of the tile."""
        if outlook.today:
            return self._tr("live_lawyer" if outlook.lawyer_today else "live_today", n=outlook.today)
        return self._tr("live_next", when=self.when(outlook.next)) if outlook.next else self._tr("live_none")
