"""Legal aid: the hooks."""

from typing import TYPE_CHECKING, Any

from kiosk import Tile, hookimpl
from plugins.legal_aid.store import Store

if TYPE_CHECKING:
    from kiosk.receipt import Receipt
    from kiosk.station import Station
    from protocol.messages import Reply


@hookimpl
def setup(station: "Station") -> Store:
    return Store(station)


@hookimpl
def tile(station: "Station") -> Tile:
    from plugins.legal_aid.words import Words

    return Tile(live=Words(station).outlook(station.store.outlook()))


@hookimpl
def screen(station: "Station", route: str) -> Any:
    from plugins.legal_aid.screen import LegalAidScreen

    return LegalAidScreen(station, route)


@hookimpl
def content_changed(station: "Station", collection: str) -> None:
    station.store.changed()
    station.refresh()


@hookimpl
def reply(station: "Station", reply: "Reply") -> "Receipt[int] | None":
    receipt: Receipt[int] | None = station.store.answer(reply)
    return receipt


@hookimpl
def session_ended(station: "Station") -> None:
    station.store.forget_old()
