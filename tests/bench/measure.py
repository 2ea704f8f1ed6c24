"""Two arms in one run, interleaved, median of each: these machines are noisy, ratios are not."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One line of the table. `target` is an upper bound, or a lower one when `least` is set."""

    name: str
    value: float
    unit: str
    target: float | None = None
    least: bool = False
    detail: str = ""

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.least else self.value <= self.target


def interleaved(
    ours: Callable[[], float], other: Callable[[], float], rounds: int = 5
) -> tuple[float, float]:
    """Medians of both arms, measured in turn; each callable returns its own figure."""
    pairs = [(ours(), other()) for _ in range(rounds)]
    return statistics.median(a for a, _ in pairs), statistics.median(b for _, b in pairs)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0..1) of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
