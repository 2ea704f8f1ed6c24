"""Letters and digits, for searching by the first letters of pinyin."""

from typing import ClassVar

from kiosk.ui.widgets.pad import DELETE, DONE, Pad


class LetterPad(Pad):
    """A to Z in their order, which more people know than where the keys of a typewriter lie."""

    rows: ClassVar = (
        tuple("1234567890"),
        tuple("ABCDEFGHI"),
        tuple("JKLMNOPQR"),
        (*"STUVWXYZ", DELETE),
        (DONE,),
    )
