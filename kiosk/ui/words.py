"""The shell's own texts, in the language of the session; and dates as they are said."""

import datetime as dt
from typing import Final

from kiosk.strings import own

LANGUAGES: Final = ("zh", "en")


class Words:
    """`words("home")` is the text of `ui.home`; `language` is switched by the visitor."""

    def __init__(self, language: str = "zh") -> None:
        self.language = language

    def __call__(self, key: str, **values: object) -> str:
        return own().text(self.language, f"ui.{key}", **values)

    def core(self, key: str, **values: object) -> str:
        """A sentence of the kiosk itself, by its whole key: what an error says."""
        return own().text(self.language, key, **values)

    def date(self, day: dt.date) -> str:
        """11月21日 周六, or Sat 21 Nov."""
        weekday = self("weekdays").split()[day.weekday()]
        month = self("months").split()[day.month - 1]
        return self("date", day=day.day, month=month, weekday=weekday)


def other(language: str) -> str:
    """The language that is not spoken now."""
    return LANGUAGES[1 - LANGUAGES.index(language)]
