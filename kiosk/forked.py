"""A child process that goes on with what this one has loaded."""

import os
import signal
import subprocess
import time
from typing import Final

POLL: Final = 0.02  # s


class Forked:
    """The part of `subprocess.Popen` that the supervisor uses. `here` is true in the child itself."""

    def __init__(self) -> None:
        self.returncode: int | None = None
        self.pid = os.fork()
        self.here = self.pid == 0
        if self.here:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            os.setpgid(0, 0)

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Until its end; `subprocess.TimeoutExpired` if that takes longer."""
        end = time.monotonic() + (timeout if timeout is not None else float("inf"))
        while (status := self.poll()) is None:
            if time.monotonic() > end:
                raise subprocess.TimeoutExpired("kiosk", timeout or 0.0)
            time.sleep(POLL)
        return status

    def terminate(self) -> None:
        """Ask it to end."""
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        """End it."""
        self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        # Its id may be somebody else's once it has been waited for.
        if self.poll() is None:
            os.kill(self.pid, number)
