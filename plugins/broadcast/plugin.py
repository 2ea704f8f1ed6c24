"""The station's radio: plays the programme by its timetable and shows what is on."""

from typing import TYPE_CHECKING, Any

from kiosk import Stage, Tile, hookimpl

if TYPE_CHECKING:
    from kiosk.station import Station
    from plugins.broadcast.airing import OnAir


@hookimpl
def setup(station: "Station") -> "OnAir":
    from plugins.broadcast.airing import OnAir

    on_air = OnAir(station)
    on_air.start()
    return on_air


@hookimpl
def tile(station: "Station") -> Tile:
    from plugins.broadcast.lines import live_line

    return Tile(live=live_line(station.store, station.tr))


@hookimpl
def stage(station: "Station") -> Stage | None:
    from plugins.broadcast.lines import stage_of

    return stage_of(station.store, station.tr)


@hookimpl
def screen(station: "Station", route: str) -> Any:
    from plugins.broadcast.screen import BroadcastScreen

    return BroadcastScreen(station)


@hookimpl
def content_changed(station: "Station", collection: str) -> None:
    station.store.reload()


@hookimpl
def teardown(station: "Station") -> None:
    station.store.stop()
