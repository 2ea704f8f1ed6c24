"""What plugins show on the home screen."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """The live part of a tile: one line in spoken words; the primary tile adds a number and a caption."""

    live: str = ""
    number: int | None = None
    caption: str = ""


@dataclass(frozen=True)
class Stage:
    """What is on: a badge ("on air"), a title, a line below, progress 0..1 and whether it has a picture.

    With `video` the stage shows the player's frames behind the text.
    """

    badge: str
    title: str
    line: str = ""
    progress: float | None = None
    video: bool = False
