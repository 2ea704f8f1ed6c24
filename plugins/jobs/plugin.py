"""Find work: the hooks."""

from typing import TYPE_CHECKING, Any

from kiosk import Tile, hookimpl
from plugins.jobs import rules
from plugins.jobs.store import Store

if TYPE_CHECKING:
    from kiosk.station import Station

QUIET_AFTER = 15.0  # s after which the station has started and nobody waits for it


@hookimpl
def setup(station: "Station") -> Store:
    store = Store(station)
    store.cancel = station.every(QUIET_AFTER, store.warm_up)
    return store


@hookimpl
def tile(station: "Station") -> Tile:
    posts = station.store.posts()
    if fresh := rules.new_today(posts, station.clock.today()):
        return Tile(live=station.tr("live_new", n=fresh))
    return Tile(live=station.tr("live_open", n=len(posts)) if posts else station.tr("live_none"))


@hookimpl
def screen(station: "Station", route: str) -> Any:
    from plugins.jobs.screen import JobsScreen

    return JobsScreen(station, route)


@hookimpl
def content_changed(station: "Station", collection: str) -> None:
    station.store.changed()
    station.refresh()


@hookimpl
def session_ended(station: "Station") -> None:
    station.store.forget()


@hookimpl
def teardown(station: "Station") -> None:
    station.store.cancel()
