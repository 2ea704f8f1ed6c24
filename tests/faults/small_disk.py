"""A disk of a few megabytes that can be filled and emptied: a tmpfs, which only root may mount."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

BALLAST: Final = "ballast"


class NoSmallDisk(Exception):
    """Nobody here may mount one; the sentence says why."""


@contextmanager
def mounted(folder: Path, size: int) -> Iterator[Path]:
    """A tmpfs of `size` bytes on `folder`, or NoSmallDisk."""
    folder.mkdir(parents=True, exist_ok=True)
    words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "yizhan-test", str(folder)]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    except FileNotFoundError as err:
        raise NoSmallDisk("there is no mount command") from err
    if done.returncode:
        raise NoSmallDisk(f"a tmpfs cannot be mounted: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], capture_output=True, timeout=10, check=False)


def fill(folder: Path) -> int:
    """Take all that is free; how many bytes that were."""
    taken = 0
    with open(folder / BALLAST, "ab", buffering=0) as file:
        for block in (65536, 4096, 512, 1):
            with suppress(OSError):
                while written := os.write(file.fileno(), bytes(block)):
                    taken += written
    return taken


def free(folder: Path) -> None:
    """Give it back."""
    (folder / BALLAST).unlink(missing_ok=True)
