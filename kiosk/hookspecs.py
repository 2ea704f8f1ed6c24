"""The hooks, as a catalogue: what a plugin may implement in its plugin.py.

`setup` runs on the loader thread before the home screen; all others run on the UI thread and do no I/O.
"""

# mypy: disable-error-code="empty-body"
# Specifications have no body: what a hook returns is said by its plugins.

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from kiosk.receipt import Receipt
    from kiosk.station import Station
    from kiosk.tile import Stage, Tile
    from protocol.messages import Reply

hookspec = pluggy.HookspecMarker("yizhan")
hookimpl = pluggy.HookimplMarker("yizhan")


@hookspec
def setup(station: "Station") -> Any:
    """Create the plugin's tables and load what it needs; what is returned becomes `station.store`."""


@hookspec
def tile(station: "Station") -> "Tile":
    """The live part of the tile on the home screen; title, icon and colour come from the manifest."""


@hookspec
def screen(station: "Station", route: str) -> Any:
    """The Kivy widget for a route within the plugin; an empty route is its first screen."""


@hookspec
def stage(station: "Station") -> "Stage | None":
    """What the stage of the home screen shows; None leaves it to others."""


@hookspec
def session_ended(station: "Station") -> None:
    """The visitor has gone: forget everything of the session."""


@hookspec
def content_changed(station: "Station", collection: str) -> None:
    """A new revision of one of the plugin's collections is in place, or one of its files has arrived."""


@hookspec
def reply(station: "Station", reply: "Reply") -> "Receipt[Any] | None":
    """Headquarters has answered a request of this plugin, perhaps a day later, perhaps twice.

    Return the receipt of what is stored for it: an answer not stored comes again after the next start.
    """


@hookspec
def scanned(station: "Station", code: str) -> bool:
    """A scanner or card reader has read a code; True takes it, False leaves it to other plugins."""


@hookspec
def teardown(station: "Station") -> None:
    """The station stops: let go of what `setup` took."""
