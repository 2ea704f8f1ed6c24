"""What headquarters shows, read from rollups, watermarks, gaps and bookings. Pure reads.

Unknown stays unknown: every sum comes with how much of it is there.
"""

from server.completeness import SLACK_MS as LOST_MS
from server.queries.bookings import booked, bookings
from server.queries.days import HOUR_MS, day_bounds
from server.queries.overview import overview, span
from server.queries.station import completeness, station_day
from server.queries.sums import by_station, count_events, reaches, visits_event
from server.queries.troubles import faults, refusals
from server.times import ZONE

__all__ = [
    "HOUR_MS",
    "LOST_MS",
    "ZONE",
    "booked",
    "bookings",
    "by_station",
    "completeness",
    "count_events",
    "day_bounds",
    "faults",
    "overview",
    "reaches",
    "refusals",
    "span",
    "station_day",
    "visits_event",
]
