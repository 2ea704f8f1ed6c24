"""What a service's frame says: the screen's own words, else the manifest's."""

from typing import TYPE_CHECKING, Any

from kiosk.ui.service_frame import ServiceFrame

if TYPE_CHECKING:
    from kiosk.station import Station


def dress(frame: ServiceFrame, screen: Any, station: "Station") -> None:
    """Take title, line, icon and steps from the screen; any widget will do, a ServiceScreen says more."""
    manifest, language = station.plugin, station.session.language
    frame.title = getattr(screen, "header_title", "") or manifest.title.get(language, manifest.id)
    frame.line = getattr(screen, "header_line", "") or manifest.subtitle.get(language, "")
    frame.icon = getattr(screen, "header_icon", "") or manifest.icon
    frame.steps = list(getattr(screen, "steps", ()))
    frame.step = getattr(screen, "step", 0)
