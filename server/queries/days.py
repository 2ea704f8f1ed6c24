"""Local days and their hours. Rollups are by UTC hour, so days of zones that are off by part of an hour are
cut at the nearest full one."""

from datetime import date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from server.times import ZONE

HOUR_MS: Final = 3600 * 1000


class Stretch(NamedTuple):
    """A stretch of time with a name: one bar of a chart. `start` and one past the last ms."""

    start: int
    end: int
    label: str


def day_bounds(day: date, zone: str = ZONE) -> tuple[int, int]:
    """First and one-past-last ms of a local day."""
    start = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    after = day + timedelta(days=1)
    end = datetime(after.year, after.month, after.day, tzinfo=ZoneInfo(zone))
    return int(start.timestamp() * 1000), int(end.timestamp() * 1000)


def hours(day: date, zone: str = ZONE) -> list[Stretch]:
    """The hours of a local day, 23 to 25 of them."""
    start, end = day_bounds(day, zone)
    return [
        Stretch(at, at + HOUR_MS, datetime.fromtimestamp(at / 1000, ZoneInfo(zone)).strftime("%H:%M"))
        for at in range(start - start % HOUR_MS, end, HOUR_MS)
    ]


def days(last: date, n: int, zone: str = ZONE) -> list[Stretch]:
    """The `n` local days that end with `last`."""
    dates = [last - timedelta(days=back) for back in reversed(range(n))]
    return [Stretch(*day_bounds(day, zone), day.strftime("%m-%d")) for day in dates]
