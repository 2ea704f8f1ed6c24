"""Runs what may crash or hang in a process of its own, which ends in time in any case."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]

_living: Final[set[subprocess.Popen[str]]] = set()


@dataclass(frozen=True)
class Ended:
    """`status` is the exit status, negative for a signal, None if it had to be ended for its time."""

    status: int | None
    out: str
    err: str

    @property
    def last_line(self) -> str:
        """The last line of standard error: the exception, where Python has printed one."""
        lines = [line.strip() for line in self.err.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def how(self) -> str:
        """Its end as one knows it from a shell: a signal's name, or a status."""
        if self.status is None:
            return "timeout"
        return signal.Signals(-self.status).name if self.status < 0 else f"status {self.status}"


def python(arguments: Sequence[str], seconds: float, environment: Mapping[str, str] | None = None) -> Ended:
    """Run this Python with the product on its path."""
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    process = subprocess.Popen(
        [sys.executable, *arguments],
        env={**os.environ, **(environment or {}), "PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,  # what it starts itself is ended with it
    )
    _living.add(process)
    _end_with_us()
    try:
        out, err = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        _end(process)
        out, err = process.communicate()
        return Ended(None, out, err)
    finally:
        _living.discard(process)
    return Ended(process.returncode, out, err)


@cache
def _end_with_us() -> None:
    """If we end before a child, because nobody waits for it any more, it ends too."""
    atexit.register(_end_all)


def _end_all() -> None:
    for process in list(_living):
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
