"""Where lines of mixed Chinese and Latin text break: between Han characters, never before a full stop.

Kivy breaks at spaces first, which tears Chinese with a number in it apart.
"""

from collections.abc import Callable, Iterator
from typing import Final

#: May not begin a line (GB/T 15834, W3C clreq), and may not end one.
NOT_FIRST: Final = frozenset("，。、；：？！…—·）】》〉」』”’％℃,.;:?!)]}%–")
NOT_LAST: Final = frozenset("（【《〈「『“‘([{¥￥")


def wrap(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """The lines of `text`, each at most `width` wide by `measure`; a word longer than a line is cut."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line, used = "", 0.0
        for piece in _pieces(paragraph):
            wide = measure(piece)
            if used + measure(piece.rstrip()) <= width or not line:
                line, used = line + piece, used + wide
            else:
                lines.append(line.rstrip())
                line, used = piece.lstrip(), measure(piece.lstrip())
            while used > width and len(line) > 1:
                head = _fitting(line, width, measure)
                if not line[len(head) :].strip():
                    break
                lines.append(head)
                line = line[len(head) :]
                used = measure(line)
        lines.append(line.rstrip())
    return lines


def _fitting(line: str, width: float, measure: Callable[[str], float]) -> str:
    end = 1
    while end < len(line) and measure(line[: end + 1].rstrip()) <= width:
        end += 1
    return line[:end]


def _pieces(text: str) -> Iterator[str]:
    """The text in parts between which a line may break."""
    start = 0
    for at in range(1, len(text)):
        if _may_break(text[at - 1], text[at]):
            yield text[start:at]
            start = at
    if text:
        yield text[start:]


def _may_break(before: str, after: str) -> bool:
    if after in NOT_FIRST or before in NOT_LAST or after == " ":
        return False
    return before == " " or _wide(before) or _wide(after) or before in "-–/"


def _wide(sign: str) -> bool:
    return "\u2e80" <= sign <= "\uffee" or sign >= "\U00020000" or sign in "“”‘’…—·"
