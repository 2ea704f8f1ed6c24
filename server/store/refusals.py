"""What was turned away, counted by reason: a number, a last time and one sample of each."""

from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection, select
from sqlalchemy.exc import DBAPIError

from server.store.schema import refusal
from server.store.upsert import upsert

SAMPLE_BYTES: Final = 512
STATION_LETTERS: Final = 64
_GZIP: Final = b"\x1f\x8b"


@dataclass
class Tally:
    """Refusals of one batch, not yet stored."""

    counts: dict[tuple[str, str], tuple[int, bytes, str]] = field(default_factory=dict)

    def add(self, reason: str, station: str, sample: bytes = b"", problem: str = "") -> None:
        """Count one refusal. Nothing that may hold a request is kept as a sample: a contact may be in it."""
        key = (reason, station[:STATION_LETTERS])
        n = self.counts.get(key, (0, b"", ""))[0]
        # PostgreSQL takes no NUL in a text, and a refusal must never itself be refused.
        kept = b"" if _may_be_private(sample) else sample[:SAMPLE_BYTES]
        self.counts[key] = (n + 1, kept, problem[:SAMPLE_BYTES].replace("\0", "\\0"))

    def merge(self, other: "Tally") -> None:
        """Add another one's refusals to these."""
        for key, (n, sample, problem) in other.counts.items():
            self.counts[key] = (self.counts.get(key, (0,))[0] + n, sample, problem)


def described(err: Exception) -> str:
    """An error in words, without the values that it was about as far as its class shows them."""
    cause = err.orig if isinstance(err, DBAPIError) and err.orig is not None else err
    return f"{type(cause).__name__}: {str(cause).partition(chr(10))[0]}"


def _may_be_private(sample: bytes) -> bool:
    return b"request" in sample or sample.startswith(_GZIP)


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
