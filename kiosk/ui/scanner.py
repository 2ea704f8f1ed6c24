"""Scanners and card readers are keyboards: listens to the window's keys wherever the focus is."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from kivy.core.window import Window

from kiosk.ui.burst import Burst, sign_of


class Scanner:
    """Calls `scanned(code)` for each burst. No other key does anything, neither Escape nor F1."""

    def __init__(self, scanned: Callable[[str], object]) -> None:
        self._scanned = scanned
        self._burst = Burst()
        Window.bind(on_key_down=self._key_down)

    def close(self) -> None:
        """Listen no more."""
        Window.unbind(on_key_down=self._key_down)

    def _key_down(
        self, window: Any, key: int, scancode: int = 0, text: str = "", held: Sequence[str] = (), **_: object
    ) -> bool:
        sign = sign_of(key, held)
        code = self._burst.key(sign, time.monotonic()) if sign else None
        if code is not None:
            self._scanned(code)
        # Taken: the window's own answers (Escape closes, F1 opens settings) never come.
        return True
