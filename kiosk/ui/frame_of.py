"""What a service's frame says: the screen's own words, else the manifest's."""

from typing import Any

from kiosk.ui.service_frame import ServiceFrame


def dress(frame: ServiceFrame, screen: Any) -> None:
    """Take title, line, icon and steps from the screen; any widget will do, a ServiceScreen says more."""
    station = getattr(screen, "station", None)
    if station is None:
        return
    manifest, language = station.plugin, station.session.language
    frame.title = getattr(screen, "header_title", "") or manifest.title.get(language, manifest.id)
    frame.line = getattr(screen, "header_line", "") or manifest.subtitle.get(language, "")
    frame.icon = getattr(screen, "header_icon", "") or manifest.icon
    frame.steps = list(getattr(screen, "steps", ()))
    frame.step = getattr(screen, "step", 0)
