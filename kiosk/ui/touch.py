"""Fingers for tests and the demo's visitor: touches that enter where a touch screen's do."""

from collections import deque
from typing import Any

from kivy.base import EventLoop
from kivy.input.motionevent import MotionEvent
from kivy.input.provider import MotionEventProvider


class Finger(MotionEvent):
    """A touch at (sx, sy), 0 to 1 from the lower left."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("is_touch", True)
        kwargs.setdefault("type_id", "touch")
        super().__init__(*args, **kwargs)
        self.profile = ("pos",)

    def depack(self, args: Any) -> None:
        """Take the place of the touch."""
        self.sx, self.sy = args
        super().depack(args)


class Fingers(MotionEventProvider):
    """An input provider: what is queued begins in one frame and ends in a later one."""

    def __init__(self) -> None:
        super().__init__("fingers", "")
        self._steps: deque[tuple[str, float, float, Any]] = deque()
        self._touch: Finger | None = None
        self._number = 0

    def join(self) -> None:
        """Join the event loop."""
        EventLoop.add_input_provider(self)

    def tap(self, sx: float, sy: float, begun: Any = None, ended: Any = None) -> None:
        """Touch and lift there; the callables are told when each has been dispatched."""
        self._steps.append(("begin", sx, sy, begun))
        self._steps.append(("end", sx, sy, ended))

    def update(self, dispatch_fn: Any) -> None:
        """One step a frame, as a finger is on the glass for longer than one."""
        if not self._steps:
            return
        kind, sx, sy, told = self._steps.popleft()
        if kind == "begin":
            self._number += 1
            self._touch = Finger(self.device, self._number, (sx, sy))
        assert self._touch is not None
        self._touch.move((sx, sy))
        if kind == "end":
            self._touch.update_time_end()
        try:
            dispatch_fn(kind, self._touch)
        finally:
            if told is not None:
                told()
