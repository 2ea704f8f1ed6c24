"""The look in pixels of this screen: `theme`, whose properties kv rules bind to.

`theme.u` is one pixel of the design screen, so `24 * theme.u` in kv is the same length on every screen. Type
grows with `theme.large`; distances do not, so that everything stays reachable.
"""

from functools import partial
from typing import Any
from weakref import WeakSet

from kivy.event import EventDispatcher
from kivy.properties import (
    AliasProperty,
    BooleanProperty,
    ColorProperty,
    NumericProperty,
    ObjectProperty,
    StringProperty,
)

from kiosk.ui import fonts, tokens

Rgba = tuple[float, float, float, float]


class Palette:
    """The colours of `tokens` as RGBA: `palette.text`, `palette.of("legal")`, `palette.tint("legal")`."""

    def __init__(self, colours: tokens.Colours) -> None:
        for name in tokens.names():
            setattr(self, name, (*tokens.channels(getattr(colours, name)), 1.0))

    def __getattr__(self, name: str) -> Rgba:  # only for names that __init__ did not set
        raise AttributeError(f"no colour {name}")

    def of(self, service: str) -> Rgba:
        """The colour of a service as its manifest names it."""
        return getattr(self, service if service in tokens.SERVICES else "brand")

    def tint(self, service: str) -> Rgba:
        """The light ground behind an icon of that colour."""
        return getattr(self, f"{service if service in tokens.SERVICES else 'brand'}_tint")


class Theme(EventDispatcher):
    """One for the process. `accent` is the colour of the service that is open, brand on the home screen."""

    colours = ObjectProperty(Palette(tokens.LIGHT))
    u = NumericProperty(1.0)
    large = BooleanProperty(False)
    landscape = BooleanProperty(False)
    service = StringProperty("brand")
    accent = ColorProperty((0, 0, 0, 1))
    accent_tint = ColorProperty((1, 1, 1, 1))

    def _type(size: float) -> AliasProperty:
        def get(self: "Theme") -> float:
            return round(size * self.u * (tokens.LARGE if self.large else 1.0))

        return AliasProperty(get, None, bind=("u", "large"), cache=True)

    def _length(size: float) -> AliasProperty:
        def get(self: "Theme") -> float:
            return round(size * self.u)

        return AliasProperty(get, None, bind=("u",), cache=True)

    def _get_type_scale(self) -> float:
        return self.u * (tokens.LARGE if self.large else 1.0)

    #: Pixels of this screen for one design pixel of type.
    type_scale = AliasProperty(_get_type_scale, None, bind=("u", "large"), cache=True)
    caption = _type(tokens.CAPTION)
    body = _type(tokens.BODY)
    button = _type(tokens.BUTTON)
    title = _type(tokens.TITLE)
    number = _type(tokens.NUMBER)

    space = _length(tokens.SPACE)
    margin = _length(tokens.MARGIN)
    padding = _length(tokens.PADDING)
    radius = _length(tokens.RADIUS)
    radius_small = _length(tokens.RADIUS_SMALL)
    touch = _length(tokens.TOUCH)
    icon = _length(tokens.ICON)
    icon_square = _length(tokens.ICON_SQUARE)
    primary_height = _length(tokens.PRIMARY_HEIGHT)
    bar_height = _length(tokens.BAR_HEIGHT)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._followers: dict[tuple[str, str], WeakSet[Any]] = {}
        self.bind(service=self._recolour, colours=self._recolour)
        self._recolour()

    @property
    def font(self) -> str:
        """File of the regular face."""
        return fonts.text()

    @property
    def bold(self) -> str:
        """File of the bold face."""
        return fonts.bold()

    @property
    def icons(self) -> str:
        """File of the icon font."""
        return fonts.icons()

    def fit(self, width: float, height: float, dpi: float = 0.0) -> None:
        """Take the window's size in pixels, and the screen's dots per inch (0 if not known).

        Without dpi the screen counts as a design screen shown smaller or larger. With it lengths are true
        millimetres, but never more than fill the window.
        """
        by_size = min(min(width, height) / tokens.DESIGN_SHORT, max(width, height) / tokens.DESIGN_LONG)
        self.landscape = width > height
        self.u = max(0.2, min(by_size, dpi / tokens.DESIGN_DPI) if dpi else by_size)

    def follow(self, name: str, widget: Any, method: str) -> None:
        """Call `widget.method()` whenever the property `name` changes, for as long as the widget lives.

        In place of `bind`: Kivy forgets a dead widget only when the property changes, which on a screen of
        fixed size is never, and looks through all of them at each new one.
        """
        followers = self._followers.get((name, method))
        if followers is None:
            followers = self._followers[name, method] = WeakSet()
            self.fbind(name, partial(_call_each, followers, method))
        followers.add(widget)

    def _recolour(self, *_: object) -> None:
        self.accent = self.colours.of(self.service)
        self.accent_tint = self.colours.tint(self.service)


def _call_each(widgets: "WeakSet[Any]", method: str, *_: object) -> None:
    for widget in list(widgets):
        getattr(widget, method)()


def shade(colour: Rgba, by: float = 0.14) -> Rgba:
    """The colour darker: what is pressed."""
    red, green, blue, alpha = colour
    return red * (1 - by), green * (1 - by), blue * (1 - by), alpha


theme = Theme()
