"""This station: the hooks. Copy this folder to begin a plugin of your own."""

from typing import TYPE_CHECKING, Any

from kiosk import Tile, hookimpl
from plugins.hello import rules
from plugins.hello.store import Store

if TYPE_CHECKING:
    from kiosk.station import Station


@hookimpl
def setup(station: "Station") -> Store:
    return Store(station)


@hookimpl
def tile(station: "Station") -> Tile:
    n = int(station.settings["live_facilities"])
    shown = rules.most_asked(station.store.facilities(), station.store.asked, n)
    names = [each.written if each.id == rules.OTHER else station.tr(each.id) for each in shown]
    between = " " if station.session.language == "zh" else ", "
    return Tile(live=between.join(names) or station.tr("live_empty"))


@hookimpl
def screen(station: "Station", route: str) -> Any:
    from plugins.hello.screen import HelloScreen

    return HelloScreen(station, route)
