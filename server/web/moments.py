"""Moments and spans of time, said as people say them."""

from typing import Final

from server.web.site import Site
from server.web.words import Words

_MINUTE: Final = 60_000


def moment(site: Site, ms: int, beside: int) -> str:
    """The time of day, with the date in front if it is another day than that of `beside` (ms)."""
    at = site.local(ms)
    return at.strftime("%H:%M" if at.date() == site.local(beside).date() else "%m-%d %H:%M")


def lasting(ms: int, tr: Words) -> str:
    """How long: minutes, hours or days."""
    minutes = max(1, ms // _MINUTE)
    if minutes < 120:
        return tr("span.minutes", n=minutes)
    if minutes < 48 * 60:
        return tr("span.hours", n=minutes // 60)
    return tr("span.days", n=minutes // (24 * 60))
