"""The root of everything that is drawn: the content, and over it what covers it for a while."""

from collections.abc import Callable
from typing import Any

from kivy.uix.floatlayout import FloatLayout
from kivy.uix.widget import Widget


class Root(FloatLayout):
    """`touched()` is asked first about each new touch: true keeps it from what is drawn."""

    def __init__(self, touched: Callable[[], bool], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._touched = touched
        self.content: Widget | None = None
        self.overlay: Widget | None = None

    def on_touch_down(self, touch: Any) -> bool:
        return True if self._touched() else super().on_touch_down(touch)

    def show(self, content: Widget) -> None:
        """Put the content in the place of the one before."""
        if content is self.content:
            return
        if self.content is not None:
            self.remove_widget(self.content)
        self.content = content
        self.add_widget(content, index=len(self.children))

    def cover(self, overlay: Widget | None) -> None:
        """Put an overlay in the place of the one before; None uncovers."""
        if overlay is self.overlay:
            return
        if self.overlay is not None:
            self.remove_widget(self.overlay)
        self.overlay = overlay
        if overlay is not None:
            self.add_widget(overlay)
