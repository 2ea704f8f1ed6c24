"""Small Latin letters, digits and what an address needs."""

from typing import ClassVar

from kiosk.ui.widgets.pad import CLEAR, DELETE, DONE, Pad


class Keyboard(Pad):
    """For the address of the server, typed once by who sets the station up."""

    rows: ClassVar = (
        tuple("1234567890"),
        tuple("qwertyuiop"),
        tuple("asdfghjkl-"),
        tuple("zxcvbnm.:/"),
        (("https://", 2), ("http://", 2), (CLEAR, 1), (DELETE, 1), (DONE, 2)),
    )

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**kwargs)
        for code, key in self._keys.items():
            if len(code) == 1:
                key.text = code  # addresses are small letters: show what is typed
            elif code.startswith("http"):
                key.size_px = 34

    def key(self, code: str) -> None:
        """Take one key; a scheme replaces the one that is there."""
        if code.endswith("://"):
            self.value = code + self.value.split("://")[-1]
        else:
            super().key(code)
