"""What a check has found: the one form in which `yizhan doctor` gets it from a station and headquarters."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Literal

import msgspec

Level = Literal["ok", "warn", "bad"]

LEVELS: Final[tuple[Level, ...]] = ("ok", "warn", "bad")
_UNITS: Final = (("days", 2 * 86400, 86400), ("hours", 2 * 3600, 3600), ("minutes", 120, 60))


class Finding(msgspec.Struct, frozen=True):
    """One sentence about one subject, and what to do about it; `key` names the sentence for programs."""

    level: Level
    key: str
    subject: str
    sentence: str
    remedy: str = ""


#: Finds nothing or several things; whoever calls it limits its time and catches what it raises.
Check = Callable[[], Iterable[Finding]]


class Sayings:
    """Findings in one language.

    Of a key `disk.full`, `disk` is the text of the subject, `disk.full` the sentence and `disk.full.do` the
    remedy, which may be missing.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.texts = texts

    def ok(self, key: str, **values: object) -> Finding:
        return self._finding("ok", key, values)

    def warn(self, key: str, **values: object) -> Finding:
        return self._finding("warn", key, values)

    def bad(self, key: str, **values: object) -> Finding:
        return self._finding("bad", key, values)

    def text(self, key: str, **values: object) -> str:
        """A text by its key; KeyError if no file has it."""
        return self.texts[key].format(**values)

    def span(self, seconds: float) -> str:
        """A length of time in its natural unit, such as "3 hours"."""
        for unit, least, size in _UNITS:
            if abs(seconds) >= least:
                return self.text(f"span.{unit}", n=round(abs(seconds) / size))
        return self.text("span.seconds", n=round(abs(seconds)))

    def some(self, names: Iterable[str], most: int = 5) -> str:
        """The first few of many names, and how many more there are."""
        known = list(names)
        shown = self.text("list.comma").join(known[:most])
        return shown if len(known) <= most else self.text("list.more", shown=shown, n=len(known) - most)

    def _finding(self, level: Level, key: str, values: Mapping[str, object]) -> Finding:
        remedy = self.texts.get(f"{key}.do", "").format(**values)
        return Finding(level, key, self.text(key.partition(".")[0]), self.text(key, **values), remedy)


def size(n: float) -> str:
    """Bytes as people read them, such as "1.2 GB"."""
    for unit in ("bytes", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "bytes" or n >= 10 else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
