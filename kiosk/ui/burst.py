"""A scanner types faster than fingers and ends with Enter: tells its bursts from a keyboard's keys."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

#: Longest time between two keys of one burst, seconds; people need more than 80 ms, readers less than 50.
GAP: Final = 0.08
SHORTEST: Final = 4
LONGEST: Final = 512
ENTER: Final = (13, 271)

#: What a US keyboard, as which scanners present themselves, types with shift held.
_SHIFTED: Final = str.maketrans("`1234567890-=[]\\;',./", '~!@#$%^&*()_+{}|:"<>?')
_KEYPAD: Final = {256 + digit: str(digit) for digit in range(10)} | {266: ".", 267: "/", 269: "-", 270: "+"}


@dataclass
class Burst:
    """Feed it every key; it answers with a whole code when the end of a burst has come."""

    gap: float = GAP
    shortest: int = SHORTEST
    _signs: list[str] = field(default_factory=list)
    _last: float = -1e9

    def key(self, sign: str, now: float) -> str | None:
        """Take one character ("\\n" for Enter) at `now` (s): the code if it ends a burst, else None."""
        quick, self._last = now - self._last <= self.gap, now
        if sign == "\n":
            code, self._signs = "".join(self._signs).strip(), []
            return code if quick and len(code) >= self.shortest else None
        if not quick or len(self._signs) >= LONGEST:
            self._signs = []
        self._signs.append(sign)
        return None


def sign_of(key: int, held: Collection[str]) -> str:
    """The character of a Kivy key number with the modifiers held; empty for keys that type nothing."""
    if key in ENTER:
        return "\n"
    if key in _KEYPAD:
        return _KEYPAD[key]
    if not 32 <= key < 127:
        return ""
    sign = chr(key)
    if sign.isalpha():
        return sign.upper() if ("shift" in held) != ("capslock" in held) else sign
    return sign.translate(_SHIFTED) if "shift" in held else sign
