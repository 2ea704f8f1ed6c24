"""What was turned away, counted by reason: a number, a last time and one sample of each."""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, select

from server.store.schema import refusal
from server.store.upsert import upsert

SAMPLE_BYTES: Final = 512
STATION_LETTERS: Final = 64


@dataclass
class Tally:
    """Refusals of one batch, not yet stored."""

    counts: dict[tuple[str, str], tuple[int, bytes, str]] = field(default_factory=dict)

    def add(self, reason: str, station: str, sample: bytes = b"", problem: str = "") -> None:
        """Count one refusal."""
        key = (reason, station[:STATION_LETTERS])
        n = self.counts.get(key, (0, b"", ""))[0]
        # PostgreSQL takes no NUL in a text, and a refusal must never itself be refused.
        self.counts[key] = (n + 1, sample[:SAMPLE_BYTES], problem[:SAMPLE_BYTES].replace("\0", "\\0"))

    def merge(self, other: "Tally") -> None:
        """Add another one's refusals to these."""
        for key, (n, sample, problem) in other.counts.items():
            self.counts[key] = (self.counts.get(key, (0,))[0] + n, sample, problem)


def store(conn: Connection, tally: Tally, now: int) -> None:
    """Add a batch's refusals."""
    rows = [
        {"reason": reason, "station": station, "n": n, "last_at": now, "sample": sample, "problem": problem}
        for (reason, station), (n, sample, problem) in tally.counts.items()
    ]
    if rows:
        changes = upsert(
            conn,
            refusal,
            lambda new: {
                "n": refusal.c.n + new.n,
                "last_at": new.last_at,
                "sample": new.sample,
                "problem": new.problem,
            },
        )
        conn.execute(changes, rows)


def counts(conn: Connection) -> dict[tuple[str, str], int]:
    """(reason, station) to number."""
    return {
        (reason, station): n
        for reason, station, n in conn.execute(select(refusal.c.reason, refusal.c.station, refusal.c.n))
    }
