"""Check-in: the hooks."""

from typing import TYPE_CHECKING, Any

from kiosk import Tile, hookimpl
from plugins.check_in.store import Store

if TYPE_CHECKING:
    from kiosk.station import Station

MIDNIGHT_WITHIN = 20  # s


@hookimpl
def setup(station: "Station") -> Store:
    store = Store(station)
    store.cancel = station.every(MIDNIGHT_WITHIN, store.turn_day)
    return store


@hookimpl
def tile(station: "Station") -> Tile:
    return Tile(live=station.tr("live"), number=station.store.visits(), caption=station.tr("visits_today"))


@hookimpl
def screen(station: "Station", route: str) -> Any:
    from plugins.check_in.screen import CheckInScreen

    return CheckInScreen(station, route)


@hookimpl
def scanned(station: "Station", code: str) -> bool:
    if station.store.scan(code):
        station.go("scanned")
        return True
    return bool(station.store.shown())


@hookimpl
def session_ended(station: "Station") -> None:
    station.store.forget()


@hookimpl
def teardown(station: "Station") -> None:
    station.store.cancel()
