"""The look as numbers: pixels of the 21.5-inch design screen (1080x1920, 102 dpi), colours as #RRGGBB.

`theme` turns them into pixels of the real screen. No Kivy here, so tests of contrast are cheap.
"""

from dataclasses import dataclass, fields
from typing import Final

DESIGN_SHORT: Final = 1080
DESIGN_LONG: Final = 1920
DESIGN_DPI: Final = 102.0
MM: Final = DESIGN_DPI / 25.4

#: What a finger in a glove hits: 20 mm (MIIT: 60 dp), in design pixels.
TOUCH: Final = 81
#: In large-text mode type grows by this much.
LARGE: Final = 1.25

CAPTION: Final = 30
BODY: Final = 40
BUTTON: Final = 48
TITLE: Final = 56
NUMBER: Final = 72

SPACE: Final = 28
MARGIN: Final = 48
PADDING: Final = 40
RADIUS: Final = 32
RADIUS_SMALL: Final = 20
ICON_SQUARE: Final = 104
ICON: Final = 64
PRIMARY_HEIGHT: Final = 144
LINE_HEIGHT: Final = 1.0
BAR_HEIGHT: Final = 174
LINE: Final = 2

#: Service colours: the manifest names one of them.
SERVICES: Final = ("brand", "legal", "jobs", "song", "station")


@dataclass(frozen=True)
class Colours:
    """One palette. Names say the use; `*_tint` is the square behind an icon of that colour."""

    background: str = "#FBF6EF"
    card: str = "#FFFFFF"
    line: str = "#EADFD2"
    outline: str = "#CDBFAE"
    text: str = "#2A211B"
    soft: str = "#4A3D33"
    muted: str = "#6B5D51"
    faint: str = "#8A7C6E"
    on_dark: str = "#FFFFFF"
    on_dark_soft: str = "#FFF6F3"
    brand: str = "#C8402A"
    brand_dark: str = "#7A1F12"
    brand_light: str = "#E56A35"
    brand_tint: str = "#FBE9E5"
    legal: str = "#0B6E69"
    legal_tint: str = "#E6F1F0"
    jobs: str = "#BA5600"
    jobs_tint: str = "#FFF0DF"
    song: str = "#B3261E"
    song_tint: str = "#FBE9E8"
    station: str = "#2B57A5"
    station_tint: str = "#E7EDF8"
    good: str = "#1B7A3D"
    good_tint: str = "#E6F3EA"
    warning: str = "#A85300"
    warning_tint: str = "#FFF1E0"
    highlight: str = "#FFD34D"
    badge: str = "#3A1711"


LIGHT: Final = Colours()

#: (foreground, background, least contrast): every pair that the widgets draw. 7 for body text, 4.5 for large
#: letters and signs, 3 for outlines (WCAG 2.2: 1.4.3, 1.4.6, 1.4.11).
PAIRS: Final[tuple[tuple[str, str, float], ...]] = (
    ("text", "background", 7),
    ("text", "card", 7),
    ("soft", "card", 7),
    ("soft", "background", 7),
    ("muted", "card", 4.5),
    ("muted", "background", 4.5),
    ("on_dark", "brand", 4.5),
    ("on_dark_soft", "brand", 4.5),
    ("on_dark", "brand_dark", 7),
    ("on_dark", "badge", 7),
    ("highlight", "badge", 4.5),
    ("on_dark", "legal", 4.5),
    ("on_dark", "jobs", 4.5),
    ("on_dark", "song", 4.5),
    ("on_dark", "station", 4.5),
    ("on_dark", "good", 4.5),
    ("brand", "brand_tint", 3),
    ("legal", "legal_tint", 4.5),
    ("jobs", "jobs_tint", 3),
    ("song", "song_tint", 4.5),
    ("station", "station_tint", 4.5),
    ("text", "legal_tint", 7),
    ("text", "good_tint", 7),
    ("text", "warning_tint", 7),
    ("good", "good_tint", 4.5),
    ("warning", "warning_tint", 4.5),
)


def channels(colour: str) -> tuple[float, float, float]:
    """#RRGGBB as three numbers 0 to 1."""
    return int(colour[1:3], 16) / 255, int(colour[3:5], 16) / 255, int(colour[5:7], 16) / 255


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours, 1 to 21."""

    def luminance(colour: str) -> float:
        red, green, blue = (
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def names() -> tuple[str, ...]:
    """The names of all colours."""
    return tuple(each.name for each in fields(Colours))
