"""How a fault ended: a line for people, an entry of build/torture.json for programs."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Report:
    """`injected` times `what`; `actions` that screens showed as done; `problems` in sentences, if any.

    `declared`: messages that will never arrive and that headquarters knows of, by number; only a row that
    destroys them, `lossy`, may have any. `measured` are numbers worth knowing (s, ms, counts), `notes` words
    for the line. `skipped` says why a fault could not be injected here, which is never counted as passed.
    """

    name: str
    what: str = ""
    injected: int = 0
    actions: int = 0
    lost: int = 0
    doubled: int = 0
    invented: int = 0
    declared: int = 0
    lossy: bool = False
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    measured: dict[str, float] = field(default_factory=dict)
    #: Visits that ended otherwise than they should: what was looked for, and what was there.
    stuck: list[str] = field(default_factory=list)
    seconds: float = 0.0
    skipped: str = ""

    @property
    def ok(self) -> bool:
        """Whether the fault was injected and nothing differs."""
        faultless = not (self.problems or self.lost or self.doubled or self.invented)
        faultless = faultless and (self.lossy or not self.declared)
        return faultless and self.injected > 0 and not self.skipped

    @property
    def verdict(self) -> str:
        if self.skipped:
            return f"skipped: {self.skipped}"
        if not self.injected:
            return "FAILED: never injected" + "".join(f"; {each}" for each in self.problems)
        return "ok" if self.ok else "FAILED: " + ("; ".join(self.problems[:5]) or "the accounts differ")

    def line(self) -> str:
        """One line, in columns."""
        cells = [
            f"{self.name:<18}",
            f"{self.injected:>5} {self.what:<10}",
            f"{self.actions:>5} actions",
            f"{self.lost:>3} lost",
            f"{self.doubled:>3} doubled",
        ]
        extras = [f"{self.invented} invented"] if self.invented else []
        extras += [f"{self.declared} declared lost"] if self.declared else []
        extras += [f"{len(self.stuck)} stuck"] if self.stuck else []
        return "   ".join([*cells, *extras, *self.notes, self.verdict])

    @classmethod
    def read(cls, entry: dict[str, Any]) -> "Report":
        """A report from its entry."""
        return cls(**{field.name: entry[field.name] for field in fields(cls)})

    def entry(self) -> dict[str, Any]:
        """For JSON."""
        return {**asdict(self), "ok": self.ok, "verdict": self.verdict}
