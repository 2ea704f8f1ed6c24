"""Which days the overview can show."""

from typing import Final, Literal

Range = Literal["today", "day", "week", "month"]
#: Ranges that have a button; a single day has the date field.
RANGES: Final[tuple[Range, ...]] = ("today", "week", "month")
#: How many days those of several days have.
DAYS: Final = {"week": 7, "month": 30}
