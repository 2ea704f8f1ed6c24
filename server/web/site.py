"""What every route needs: the store, the manifests, the live state, the clock and the zone."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from zoneinfo import ZoneInfo

from fastapi import Request

from protocol.manifest import Manifest
from server.figures import Overview
from server.live import Live
from server.queries import ZONE
from server.store import Store
from server.web.attempts import Attempts
from server.web.recent import Recent


def wall_ms() -> int:
    """Now, in ms since 1970."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Site:
    """One headquarters, as its web application sees it."""

    store: Store
    manifests: dict[str, Manifest]
    live: Live
    now: Callable[[], int] = wall_ms
    zone: str = ZONE
    #: How long figures are shared, as a part of the time between two looks of an open page.
    hold: float = 0.6
    figures: Recent[Overview] = field(default_factory=Recent)
    #: By address. Many people may share one, hence more free tries than an account has.
    logins: Attempts = field(default_factory=lambda: Attempts(free=20, first=2, longest=900))
    claims: Attempts = field(default_factory=lambda: Attempts(free=10, first=2, longest=900))
    #: By the whole site: guesses from many addresses together stay too slow to find eight digits.
    all_claims: Attempts = field(default_factory=lambda: Attempts(free=200, first=1, longest=2))

    def local(self, ms: int) -> datetime:
        """A moment on the stations' wall clocks."""
        return datetime.fromtimestamp(ms / 1000, ZoneInfo(self.zone))

    def today(self) -> date:
        """The stations' date."""
        return self.local(self.now()).date()


def of(request: Request) -> Site:
    """The site that this request came to."""
    site: Site = request.app.state.site
    return site


def address(request: Request) -> str:
    """Where a request comes from; of IPv6 the half that one customer owns."""
    host = request.client.host if request.client else ""
    return ":".join(host.split(":")[:4]) if ":" in host else host
