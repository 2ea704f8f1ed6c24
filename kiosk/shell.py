"""What draws around the services, seen from a plugin's station: `kiosk.ui` implements it."""

from typing import Protocol


class Shell(Protocol):
    """All methods run on the UI thread."""

    def go(self, plugin: str, route: str) -> None:
        """Open a screen of the plugin."""

    def home(self) -> None:
        """Show the home screen; the session goes on."""

    def finish(self) -> None:
        """End the session and show the home screen."""

    def refresh(self, plugin: str) -> None:
        """The plugin's tile, stage or screen has changed: ask again. Empty: the station itself has."""


class NoShell:
    """Nothing is drawn: tools and tests. Remembers what it was asked as (method, plugin, route)."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def go(self, plugin: str, route: str) -> None:
        self.asked.append(("go", plugin, route))

    def home(self) -> None:
        self.asked.append(("home",))

    def finish(self) -> None:
        self.asked.append(("finish",))

    def refresh(self, plugin: str) -> None:
        self.asked.append(("refresh", plugin))
