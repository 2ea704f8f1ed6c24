"""What a dying disk does to a station's files, while the station is off."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.faults import wal

DATABASE: Final = "station.db"
PAGE: Final = 4096


def header(data: Path, rng: random.Random) -> None:
    """The first 100 bytes of the database are noise."""
    _overwrite(data / DATABASE, 0, rng.randbytes(100))


def middle_page(data: Path, rng: random.Random) -> None:
    """A whole page in the middle is noise."""
    pages = (data / DATABASE).stat().st_size // PAGE
    page = rng.randrange(pages // 4, max(pages * 3 // 4, pages // 4 + 1))
    _overwrite(data / DATABASE, PAGE * page, rng.randbytes(PAGE))


def random_bytes(data: Path, rng: random.Random) -> None:
    """Single bytes here and there are others."""
    size = (data / DATABASE).stat().st_size
    for _ in range(64):
        _overwrite(data / DATABASE, rng.randrange(size), rng.randbytes(1))


def log_bytes(data: Path, rng: random.Random) -> None:
    """A frame in the middle of the write-ahead log is noise: SQLite reads the log only up to there."""
    log = wal.read(data / f"{DATABASE}-wal")
    if log.ends:
        _overwrite(data / f"{DATABASE}-wal", log.ends[len(log.ends) // 2] - 100, rng.randbytes(100))


def tally(data: Path, rng: random.Random) -> None:
    """The small file beside the database is noise."""
    for each in data.glob(f"{DATABASE}.tally"):
        each.write_bytes(rng.randbytes(max(1, each.stat().st_size)))


def emptied(data: Path, rng: random.Random) -> None:
    """The database has no bytes any more, and no log."""
    (data / DATABASE).write_bytes(b"")
    for suffix in ("-wal", "-shm"):
        (data / f"{DATABASE}{suffix}").unlink(missing_ok=True)


KINDS: Final[dict[str, Callable[[Path, random.Random], None]]] = {
    "header": header,
    "middle_page": middle_page,
    "random_bytes": random_bytes,
    "log_bytes": log_bytes,
    "tally": tally,
    "emptied": emptied,
}


def _overwrite(path: Path, at: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(data)
