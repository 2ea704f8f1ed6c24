"""The stage: what is on air, large; in the idle screen it fills the window."""

from typing import Any

from kivy.clock import Clock
from kivy.graphics import Color
from kivy.graphics.texture import Texture
from kivy.properties import BooleanProperty, NumericProperty, ObjectProperty, StringProperty
from kivy.uix.floatlayout import FloatLayout

from kiosk.tile import Stage
from kiosk.ui import shapes, tokens
from kiosk.ui.theme import theme
from kiosk.ui.widgets import load_rules

#: Shortest time between two video frames drawn, and how much longer than drawing itself it must be.
FRAME_SECONDS = 0.04
BREATH = 2.0


class StageView(FloatLayout):
    """Shows a `Stage`; `player` gives the pictures when the stage has a video."""

    badge = StringProperty("")
    title = StringProperty("")
    line = StringProperty("")
    progress = NumericProperty(-1)
    video = BooleanProperty(False)
    rounded = BooleanProperty(True)
    ground = ObjectProperty(None, allownone=True)
    picture = ObjectProperty(None, allownone=True)
    player: Any = ObjectProperty(None, allownone=True)

    def __init__(self, **kwargs: Any) -> None:
        self._number = -1
        self._poll: Any = None
        kwargs.setdefault("ground", _gradient())
        super().__init__(**kwargs)
        with self.canvas.before:
            Color(rgba=theme.colours.background)
            self._corners = shapes.PatchMesh(shapes.CORNERS)
        for name in ("pos", "size", "rounded"):
            self.fbind(name, self._round)
        self._round()
        self.fbind("video", self._watch)
        self.fbind("parent", self._watch)

    def show(self, stage: Stage | None, idle_title: str, idle_line: str) -> None:
        """Take what is on; the idle words when nothing is."""
        stage = stage or Stage(badge="", title=idle_title, line=idle_line)
        self.badge, self.title, self.line = stage.badge, stage.title, stage.line
        # In steps of half a percent: the window is not drawn anew for less than can be seen.
        part = None if stage.progress is None else min(1.0, max(0.0, stage.progress))
        self.progress = -1 if part is None else round(part * 200) / 200
        self.video = stage.video

    def picture_size(self, picture: Any, width: float, height: float) -> tuple[float, float]:
        """The picture in its own shape: filling the stage of the home screen, whole in the idle view."""
        if picture is None:
            return 0, 0
        across, up = width / picture.width, height / picture.height
        scale = max(across, up) if self.rounded else min(across, up)
        return picture.width * scale, picture.height * scale

    def picture_pos(
        self, picture: Any, x: float, y: float, width: float, height: float
    ) -> tuple[float, float]:
        """Where it lies: in the middle."""
        wide, high = self.picture_size(picture, width, height)
        return x + (width - wide) / 2, y + (height - high) / 2

    def _round(self, *_: object) -> None:
        if not self.rounded or self.width < 2:
            self._corners.hide()
            return
        # A pixel larger than the picture, so that no seam of it shows beside the corners.
        x, y = round(self.x) - 1, round(self.y) - 1
        patch = shapes.outside(int(theme.radius))
        self._corners.place(patch, x, y, round(self.width) + 2, round(self.height) + 2)

    def _watch(self, *_: object) -> None:
        wanted = self.video and self.player is not None and self.parent is not None
        if wanted and self._poll is None:
            self._poll = Clock.schedule_once(self._look, 0)
        elif not wanted and self._poll is not None:
            self._poll.cancel()
            self._poll = None
            self.picture = None

    def _look(self, _: float) -> None:
        began = Clock.time()
        frame = self.player.latest_frame()
        if frame is not None and frame.number != self._number:
            self._number = frame.number
            self._blit(frame)
        # A slow renderer must keep time for touches: pictures take at most half of it.
        spent = max(Clock.frametime if frame else 0.0, Clock.time() - began)
        self._poll = Clock.schedule_once(self._look, max(FRAME_SECONDS, spent * BREATH))

    def _blit(self, frame: Any) -> None:
        texture = self.picture
        if texture is None or tuple(texture.size) != (frame.width, frame.height):
            texture = Texture.create(size=(frame.width, frame.height), colorfmt="rgba")
            texture.flip_vertical()
        texture.blit_buffer(frame.pixels, colorfmt="rgba", bufferfmt="ubyte")
        self.picture = texture
        self.canvas.ask_update()


def _gradient(side: int = 16) -> Any:
    """From dark at the top left over the brand's red to light at the bottom right."""
    stops = [tokens.channels(each) for each in ("#781E12", "#C43B27", "#EE7C3C")]

    def at(t: float) -> bytes:
        low, high, part = (
            (stops[0], stops[1], t / 0.58) if t < 0.58 else (stops[1], stops[2], (t - 0.58) / 0.42)
        )
        return bytes(round(255 * (a + (b - a) * part)) for a, b in zip(low, high, strict=True)) + b"\xff"

    texture = Texture.create(size=(side, side), colorfmt="rgba")
    pixels = b"".join(
        at((0.72 * x + 0.28 * (side - 1 - y)) / (side - 1)) for y in range(side) for x in range(side)
    )
    texture.blit_buffer(pixels, colorfmt="rgba", bufferfmt="ubyte")
    texture.wrap = "clamp_to_edge"
    return texture


load_rules(__file__)
