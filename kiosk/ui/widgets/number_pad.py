"""Digits, as on a telephone."""

from typing import ClassVar

from kivy.properties import ListProperty, NumericProperty

from kiosk.ui.widgets.pad import DELETE, DONE, Pad


class NumberPad(Pad):
    """Up to `max_digits` digits, `min_digits` before done; `groups` ([3, 4, 4]) sets spaces."""

    max_digits = NumericProperty(11)
    min_digits = NumericProperty(1)
    groups = ListProperty()

    rows: ClassVar = (("1", "2", "3"), ("4", "5", "6"), ("7", "8", "9"), (DELETE, "0", DONE))

    def __init__(self, **kwargs: object) -> None:
        kwargs.setdefault("key_height", 128)
        kwargs.setdefault("key_px", 60)
        super().__init__(**kwargs)
        for name in ("groups", "max_digits", "min_digits"):
            self.fbind(name, self._show)
            self.fbind(name, self._settle)
        self._show()
        self._settle()

    def key(self, code: str) -> None:
        """Take one key; a digit beyond `max_digits` is not taken."""
        if code.isdigit() and len(self.value) >= self.max_digits:
            return
        super().key(code)

    def display(self) -> str:
        """The digits in their groups."""
        rest, parts = self.value, []
        for size in self.groups:
            if rest:
                parts.append(rest[:size])
                rest = rest[size:]
        return " ".join([*parts, rest] if rest else parts)

    def done_allowed(self) -> bool:
        """Whether there are enough digits."""
        return len(self.value) >= self.min_digits
