"""SQLite's write-ahead log as a power cut leaves it: read frame by frame, and cut where one likes.

Format: https://sqlite.org/fileformat2.html#the_write_ahead_log. Only frames whose salt and checksum fit
count; what stands behind them is left from before the last checkpoint.
"""

import shutil
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final

HEADER: Final = 32
FRAME_HEADER: Final = 24


@dataclass(frozen=True)
class Mark:
    """A place in a log: `generation` changes when the log begins anew after a checkpoint, 0 without a log."""

    generation: int
    frames: int


@dataclass(frozen=True)
class Log:
    """`ends` holds the offset in bytes behind each valid frame; `commits` those that end a transaction."""

    generation: int
    page: int
    ends: tuple[int, ...]
    commits: tuple[int, ...]

    @property
    def mark(self) -> Mark:
        """The end of what is valid."""
        return Mark(self.generation, len(self.ends))

    def holds(self, mark: Mark, size: int) -> bool:
        """Whether what was stored at `mark` is still there once the log is cut to `size` bytes.

        An earlier generation is in the database itself, or the log would not have begun anew.
        """
        return mark.generation != self.generation or mark.frames <= sum(end <= size for end in self.ends)


def read(path: Path, proved: bool = True) -> Log:
    """The valid frames of a log; none if there is no log. Unless `proved`, checksums are believed."""
    data = path.read_bytes() if path.exists() else b""
    if len(data) < HEADER:
        return Log(0, 0, (), ())
    magic, _, page, _, salt1, salt2, sum1, sum2 = struct.unpack(">8I", data[:HEADER])
    order = ">" if magic & 1 else "<"
    sums = _checksum(data[:24], (0, 0), order)
    if proved and sums != (sum1, sum2):
        return Log(0, 0, (), ())
    ends, commits, at = [], [], HEADER
    while at + FRAME_HEADER + page <= len(data):
        _, size, one, two, sum1, sum2 = struct.unpack_from(">6I", data, at)
        body = data[at + FRAME_HEADER : at + FRAME_HEADER + page]
        if (one, two) != (salt1, salt2):
            break
        if proved:
            sums = _checksum(body, _checksum(data[at : at + 8], sums, order), order)
            if sums != (sum1, sum2):
                break
        at += FRAME_HEADER + page
        ends.append(at)
        if size:
            commits.append(at)
    return Log(salt1 << 32 | salt2, page, tuple(ends), tuple(commits))


def copy_cut(database: Path, folder: Path, size: int) -> Path:
    """The database and the first `size` bytes of its log in another folder, as after a power cut there."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / database.name
    shutil.copyfile(database, copy)
    log = database.with_name(database.name + "-wal")
    (folder / log.name).write_bytes(log.read_bytes()[:size] if log.exists() else b"")
    return copy


def _checksum(data: bytes, sums: tuple[int, int], order: str) -> tuple[int, int]:
    one, two = sums
    for first, second in struct.iter_unpack(f"{order}2I", data):
        one = (one + first + two) & 0xFFFFFFFF
        two = (two + second + one) & 0xFFFFFFFF
    return one, two
