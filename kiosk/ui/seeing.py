"""What somebody before the screen sees and could touch: for the driver and the tests."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kivy.uix.label import Label
from kivy.uix.widget import Widget

from kiosk.ui.root import Root
from kiosk.ui.widgets.tappable import Tappable


@dataclass(frozen=True)
class Seen:
    """A widget and its box in the window: left, bottom, right, top in pixels."""

    widget: Any
    box: tuple[float, float, float, float]

    @property
    def centre(self) -> tuple[float, float]:
        left, bottom, right, top = self.box
        return (left + right) / 2, (bottom + top) / 2


def visible(root: Widget) -> Iterator[Seen]:
    """Every widget that is drawn, with children after their parents and what lies on top last."""
    if root.opacity == 0:
        return
    yield Seen(root, box_of(root))
    if isinstance(root, Root) and root.overlay is not None:
        # An overlay leaves nothing below it to be touched.
        yield from visible(root.overlay)
        return
    for child in reversed(root.children):
        yield from visible(child)


def box_of(widget: Widget) -> tuple[float, float, float, float]:
    """The widget's box in the window."""
    left, bottom = widget.to_window(widget.x, widget.y)
    return left, bottom, left + widget.width, bottom + widget.height


def front_at(root: Widget, x: float, y: float) -> Any:
    """The widget that a touch at this place of the window reaches: a tappable, an overlay, or None."""
    found = None
    for seen in visible(root):
        left, bottom, right, top = seen.box
        if (
            (isinstance(seen.widget, Tappable) or getattr(seen.widget, "covers", False))
            and left <= x <= right
            and bottom <= y <= top
        ):
            found = seen.widget
    return found


def texts(root: Widget) -> list[str]:
    """All visible texts, from the top; icons are no texts."""
    words = []
    for seen in visible(root):
        widget = seen.widget
        if isinstance(widget, Label) and not hasattr(widget, "sign") and widget.text.strip():
            words.append(widget.text)
    return words


def named(root: Widget) -> dict[str, Seen]:
    """Every visible tappable that has a name."""
    return {
        seen.widget.name: seen
        for seen in visible(root)
        if isinstance(seen.widget, Tappable) and seen.widget.name
    }


def find(root: Widget, name: str = "", text: str = "") -> Seen | None:
    """The tappable of that name, or the one that shows the text (else a label that does)."""
    if name:
        return named(root).get(name)
    label: Seen | None = None
    for seen in visible(root):
        widget = seen.widget
        if isinstance(widget, Tappable) and text in texts(widget):
            return seen
        if isinstance(widget, Label) and not hasattr(widget, "sign") and text in widget.text:
            label = label or seen
    if label is not None:
        for parent in _parents(label.widget):
            if isinstance(parent, Tappable):
                return Seen(parent, box_of(parent))
    return label


def obstacle(root: Widget, seen: Seen, window: tuple[float, float]) -> str:
    """Why a finger could not tap it now, or an empty text."""
    widget, (left, bottom, right, top) = seen.widget, seen.box
    x, y = seen.centre
    if not isinstance(widget, Tappable):
        return "is not tappable"
    if widget.disabled:
        return "is disabled"
    if right - left < 2 or top - bottom < 2:
        return "has no size"
    if not (0 <= x <= window[0] and 0 <= y <= window[1]):
        return f"lies outside the window, at {x:.0f},{y:.0f}"
    front = front_at(root, x, y)
    if front is not widget:
        return f"is covered by {getattr(front, 'name', '') or type(front).__name__}"
    return ""


def described(root: Widget) -> list[dict[str, Any]]:
    """Every visible tappable and text with its box, for tests of sizes: plain data, in drawing order."""
    found = []
    for seen in visible(root):
        widget = seen.widget
        box = [round(each, 1) for each in seen.box]
        if isinstance(widget, Tappable):
            found.append({"kind": "tappable", "name": widget.name, "box": box, "disabled": widget.disabled})
        elif isinstance(widget, Label) and not hasattr(widget, "sign") and widget.text.strip():
            drawn = [round(each, 1) for each in widget.texture_size]
            found.append(
                {
                    "kind": "text",
                    "text": widget.text,
                    "box": box,
                    "drawn": drawn,
                    "font_size": widget.font_size,
                    "cut": bool(getattr(widget, "cut", False)),
                }
            )
    return found


def _parents(widget: Any) -> Iterator[Any]:
    while widget.parent is not None and widget.parent is not widget:
        widget = widget.parent
        yield widget
