"""The home screen filled: tiles and stage from the plugins, name and hours from the profile, the time."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from kiosk.ui.bar import items
from kiosk.ui.faces import Faces
from kiosk.ui.home import HomeView
from kiosk.ui.words import Words

if TYPE_CHECKING:
    from kiosk.runtime import Runtime
    from kiosk.ui.overlay import IdleView

ASK_TILES: Final = 10.0  # s between two looks at all tiles; plugins tell of changes themselves
ASK_STAGE: Final = 2.0
OFFLINE_GRACE: Final = 30.0  # s after the start before a missing connection is worth a word


class Front:
    """Owns the home view, and fills the idle view that covers it. What has not changed is not drawn anew.

    `opened(plugin)` and `tapped(item)` hear of the tiles and of the bar.
    """

    def __init__(
        self,
        runtime: "Runtime",
        words: Words,
        opened: Callable[[str], object],
        tapped: Callable[[str], object],
    ) -> None:
        self._runtime, self._words = runtime, words
        self._opened, self._tapped = opened, tapped
        self._faces = Faces(runtime.host, words)
        self._begun = time.monotonic()
        self._tiles_at = self._stage_at = 0.0
        self.idle: IdleView | None = None
        self._view: HomeView | None = None

    @property
    def view(self) -> HomeView:
        """The home view, made when it is first wanted."""
        if self._view is None:
            self._view = self._make()
        return self._view

    def rebuild(self) -> None:
        """Lay the view out anew when it is next wanted: for a window of another shape, or after a fault."""
        self._view = None

    def fill(self) -> None:
        """Ask all plugins and show everything."""
        self._faces.ask()
        self._tiles_at = time.monotonic()
        self._show()

    def refresh(self, plugins: set[str]) -> None:
        """Ask these plugins; an empty id is the station's profile, which is shown in any case."""
        for plugin in plugins - {""}:
            self._faces.ask(plugin)
        self._show()

    def tick(self) -> None:
        """Show what time has changed."""
        self._tell_time()
        now = time.monotonic()
        if now - self._tiles_at > ASK_TILES:
            self.fill()
        elif now - self._stage_at > ASK_STAGE:
            self._show_stage()

    def sleep(self) -> "IdleView":
        """The idle view, filled from now on until `wake`."""
        from kiosk.ui.overlay import IdleView

        self.idle = IdleView(self._runtime.place.player, invitation=self._words("touch_to_start"))
        self.idle.station = self._runtime.profile.name
        self._tell_time()
        self._show_stage()
        return self.idle

    def wake(self) -> None:
        """The idle view is gone."""
        self.idle = None
        self._show_stage()

    def _make(self) -> HomeView:
        view = HomeView()
        view.stage.player = self._runtime.place.player
        view.fbind("on_open", lambda _, plugin: self._opened(plugin))
        view.bar.fbind("on_item", lambda _, name: self._tapped(name))
        return view

    def _show(self) -> None:
        words, view, profile = self._words, self.view, self._runtime.profile
        view.header.name = profile.name or words("product")
        parts = [words("number", number=profile.number)] if profile.number else []
        parts += [words("open_hours", hours=profile.hours)] if profile.hours else []
        view.header.about = " · ".join(parts)
        view.header.note = self._note()
        view.bar.items = items(words.language, service=False)
        view.pager.previous, view.pager.next = words("previous"), words("next_page")
        view.show(*self._faces.tiles())
        self._tell_time()
        self._show_stage()

    def _note(self) -> str:
        if self._runtime.credentials is None:
            return self._words("unclaimed")
        early = time.monotonic() - self._begun < OFFLINE_GRACE
        return "" if self._runtime.online or early else self._words("offline")

    def _tell_time(self) -> None:
        now = self._runtime.clock.now()
        for each in (self.view.header, self.idle):
            if each is not None:
                each.time, each.date = f"{now:%H:%M}", self._words.date(now.date())

    def _show_stage(self) -> None:
        self._stage_at = time.monotonic()
        stage = self._faces.stage()
        name = self._runtime.profile.name or self._words("product")
        quiet = self._words("welcome", name=name), self._words("welcome_line")
        (self.idle or self.view).stage.show(stage, *quiet)
