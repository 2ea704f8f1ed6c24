"""The tiles of the home screen: one for each service, and the wide one of the primary service."""

import math
from dataclasses import dataclass
from typing import Any

from kivy.clock import Clock
from kivy.properties import BooleanProperty, ColorProperty, StringProperty
from kivy.uix.boxlayout import BoxLayout
from kivy.uix.floatlayout import FloatLayout

from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules
from kiosk.ui.widgets.surface import Surface
from kiosk.ui.widgets.tappable import Tappable

#: Type size of a title in the high form, and the height of a line of this font.
HIGH_PX = 52
LINE = 1.45


@dataclass(frozen=True)
class TileFace:
    """What a tile shows; `live` of a failed plugin says that it is out of order."""

    plugin: str
    title: str
    icon: str
    colour: str
    live: str = ""
    number: str = ""
    caption: str = ""
    failed: bool = False


class _Faced(Tappable):
    title = StringProperty("")
    icon = StringProperty("")
    live = StringProperty("")
    number = StringProperty("")
    caption = StringProperty("")
    failed = BooleanProperty(False)
    colour = ColorProperty((0, 0, 0, 1))
    tint = ColorProperty((1, 1, 1, 1))

    def show(self, face: TileFace) -> None:
        """Take what has changed; what is the same costs nothing."""
        self.name = f"home.{face.plugin}"
        for each in ("title", "icon", "live", "number", "caption", "failed"):
            setattr(self, each, getattr(face, each))
        colours = theme.colours
        self.colour = colours.muted if face.failed else colours.of(face.colour)
        self.tint = colours.line if face.failed else colours.tint(face.colour)

    @property
    def plugin(self) -> str:
        """The plugin's id."""
        return self.name.removeprefix("home.")


class TileView(_Faced, Surface, FloatLayout):
    """A white tile: icon above and words below; where that is too high, the title moves beside the icon."""

    low = BooleanProperty(False)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        arrange = Clock.create_trigger(self._arrange, -1)
        for widget in (self, self.ids.title, self.ids.live):
            widget.fbind("size", arrange)
        self.fbind("pos", arrange)
        arrange()

    def _arrange(self, *_: object) -> None:
        square, title, live = self.ids.square, self.ids.title, self.ids.live
        side, u = theme.padding, theme.u
        inner = self.width - side - 32 * u
        live.width = max(2, inner)
        # By the title as it would be in the high form, not as it is: else the two forms would take turns.
        lines = math.ceil(title.natural_width * HIGH_PX / title.size_px / max(1.0, inner))
        words = lines * HIGH_PX * LINE * theme.type_scale + live.height
        low = self.low = self.height < (36 + 16 + 32) * u + square.height + words
        title.width = max(2, inner - square.width - 28 * u if low else inner)
        if low:
            row = max(square.height, title.height)
            top = self.center_y + (row + 8 * u + live.height) / 2
            square.pos = self.x + side, top - row / 2 - square.height / 2
            title.pos = self.x + side + square.width + 28 * u, top - row / 2 - title.height / 2
            live.pos = self.x + side, top - row - 8 * u - live.height
        else:
            square.pos = self.x + side, self.y + self.height - 36 * u - square.height
            live.pos = self.x + side, self.y + 35 * u
            title.pos = self.x + side, live.y + live.height + 4 * u


class PrimaryTile(_Faced, Surface, BoxLayout):
    """The wide tile in its service's colour, with a number and its caption on the right."""


load_rules(__file__)
