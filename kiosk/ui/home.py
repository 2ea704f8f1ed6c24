"""The home screen: header, stage, the primary tile, the services, the bar."""

from collections.abc import Sequence
from typing import Any

from kivy.properties import NumericProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.gridlayout import GridLayout

from kiosk.ui.bar import BottomBar
from kiosk.ui.header import StationHeader
from kiosk.ui.stage_view import StageView
from kiosk.ui.theme import theme
from kiosk.ui.tile_view import PrimaryTile, TileFace, TileView
from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.pager import Pager

A_PAGE = 6


class HomeView(BoxLayout):
    """`on_open` tells which plugin's tile was tapped. At most six tiles a page."""

    page = NumericProperty(0)

    __events__ = ("on_open",)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(orientation="vertical", **kwargs)
        self.header = StationHeader()
        self.stage = StageView()
        self.primary = PrimaryTile()
        self.grid = HomeTiles(cols=2)
        self.pager = Pager(name="home.pager")
        self.bar = BottomBar()
        self._faces: list[TileFace] = []
        self._tiles: list[TileView] = []
        self._has_primary = False
        self._lower = HomeColumn(orientation="vertical")
        body: BoxLayout
        if theme.landscape:
            body = HomeBody(orientation="horizontal")
            left = HomeColumn(orientation="vertical", size_hint_x=0.86)
            left.add_widget(self.header)
            left.add_widget(self.stage)
            body.add_widget(left)
            body.add_widget(self._lower)
        else:
            body = HomeBody(orientation="vertical")
            body.add_widget(self.header)
            body.add_widget(self.stage)
            body.add_widget(self._lower)
        self._lower.add_widget(self.grid)
        self.add_widget(body)
        self.add_widget(self.bar)
        self.primary.fbind("on_release", self._tapped)
        self.pager.fbind("page", lambda _, page: setattr(self, "page", page))
        self.fbind("page", self._fill)
        theme.follow("u", self, "_measure")
        theme.follow("large", self, "_share")
        self._measure()

    def on_open(self, plugin: str) -> None:
        """A tile was tapped."""

    def show(self, primary: TileFace | None, faces: Sequence[TileFace]) -> None:
        """Show these tiles; the widgets stay, so that only what has changed is drawn anew."""
        if (primary is not None) != self._has_primary:
            self._has_primary = primary is not None
            if primary is None:
                self._lower.remove_widget(self.primary)
            else:
                self._lower.add_widget(self.primary, index=len(self._lower.children))
        if primary is not None:
            self.primary.show(primary)
        self._faces = list(faces)
        pages = max(1, -(-len(faces) // A_PAGE))
        if (pages > 1) != (self.pager.parent is not None):
            if pages > 1:
                self._lower.add_widget(self.pager)
            else:
                self._lower.remove_widget(self.pager)
        self.pager.pages = pages
        self.page = min(self.page, pages - 1)
        self._fill()

    def _fill(self, *_: object) -> None:
        self.pager.page = self.page
        start = int(self.page) * A_PAGE
        shown = self._faces[start : start + A_PAGE]
        while len(self._tiles) < len(shown):
            tile = TileView()
            tile.fbind("on_release", self._tapped)
            self._tiles.append(tile)
        if len(self.grid.children) != len(shown):
            self.grid.clear_widgets()
            self.grid.cols = 1 if len(shown) <= 2 and not theme.landscape else 2
            for tile in self._tiles[: len(shown)]:
                self.grid.add_widget(tile)
        for tile, face in zip(self._tiles, shown, strict=False):
            tile.show(face)
        self._share()

    def _share(self, *_: object) -> None:
        # The stage gives way to a third row of tiles.
        rows = -(-len(self.grid.children) // self.grid.cols) if self.grid.children else 1
        if not theme.landscape:
            share = {1: 0.75, 2: 0.4}.get(rows, 0.28)
            self.stage.size_hint_y = min(share, 0.27) if theme.large else share

    def _tapped(self, tile: Any) -> None:
        self.dispatch("on_open", tile.plugin)

    def _measure(self, *_: object) -> None:
        self.bar.size_hint_y = None
        self.bar.height = theme.bar_height * (0.92 if theme.landscape else 1)


class HomeBody(BoxLayout):
    """All but the bar."""


class HomeColumn(BoxLayout):
    """Parts below each other."""


class HomeTiles(GridLayout):
    """The tiles of the services."""


load_rules(__file__)
