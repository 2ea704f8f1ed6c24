"""The parent process: starts the screen process, watches its pulse, and walks the ladder when it dies.

It draws nothing, loads no plugin and opens no database, so that nothing of what can break can break it.
"""

import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Final

from kiosk import blame, pulse, quarantine
from kiosk.forked import Forked
from kiosk.ladder import Ladder, Plan
from kiosk.quarantine import Culprit

log = logging.getLogger(__name__)

#: Exit statuses: the screen process was asked to end; it must not be started again; nothing helps any more;
#: it asks for a new start, as nobody's fault.
ENDED: Final = 0
REFUSED: Final = 3
STOPPED: Final = 4
AGAIN: Final = 5


@dataclass(frozen=True)
class Timing:
    """All in seconds. `start` is the longest from process start to ready services."""

    start: float = 45.0
    hang: float = 5.0
    restart: float = 0.5
    farewell: float = 8.0


@dataclass(frozen=True)
class Files:
    """Where the screen process and the supervisor leave word for each other."""

    blame: Path
    quarantine: Path
    deaths: Path

    @classmethod
    def below(cls, data: Path) -> "Files":
        return cls(data / "blame", data / "quarantine.json", data / "deaths.json")


class Supervisor:
    """`command(plan, fd)` is what to start; the child writes its pulse to the inherited pipe `fd`.

    `first(fd)`, if given, is what the first child does, without a Python of its own: that is a tenth of a
    second less to wait for. Later ones start anew, with nothing left of what may have gone wrong.
    """

    def __init__(
        self,
        command: Callable[[Plan, int], list[str]],
        files: Files,
        timing: Timing | None = None,
        first: Callable[[int], int] | None = None,
    ) -> None:
        self._first = first
        self._command = command
        self._files = files
        self._timing = timing or Timing()
        self._ladder = Ladder(quarantine.read(files.quarantine))
        self._child: subprocess.Popen[bytes] | Forked | None = None
        self._ending = False
        self._watchdog = "WATCHDOG_USEC" in os.environ

    def run(self) -> int:
        """Keep the screen alive until it ends by itself or somebody asks; the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)
        plan = self._ladder.plan
        while not self._ending and not plan.stop:
            status, hung = self._watch(plan)
            if self._ending or status in (ENDED, REFUSED):
                notify("STOPPING=1")
                return ENDED if self._ending else status
            if status == AGAIN and not hung:
                log.info("the screen asked for a new start")
                self._pause(self._timing.restart)
                continue
            culprits = self._culprits(hung)
            plan = self._ladder.died(time.monotonic(), culprits)
            quarantine.write(self._files.deaths, culprits)
            quarantine.write(self._files.quarantine, self._ladder.quarantined)
            names = ", ".join(f"{each.plugin} in {each.hook}" for each in culprits) or "nobody"
            log.error("the screen %s (%s); named: %s; %s", "hung" if hung else "died", status, names, plan)
            self._pause(self._timing.restart)
        notify("STOPPING=1")
        return STOPPED if plan.stop else ENDED

    def _watch(self, plan: Plan) -> tuple[int, str]:
        """Run one child to its end: its status, and "starting" or "running" if it hung and was killed."""
        blame.clear(self._files.blame)
        reading, writing = os.pipe()
        try:
            self._child = child = self._start(plan, reading, writing)
        finally:
            os.close(writing)
        hung = ""
        started = beaten = time.monotonic()
        ready = False
        try:
            while not self._ending:
                readable, _, _ = select.select([reading], [], [], min(0.5, self._timing.hang / 4))
                now = time.monotonic()
                if readable:
                    signs = os.read(reading, 4096)
                    if not signs:
                        break  # the pipe closes with the process
                    beaten = now
                    if pulse.READY in signs and not ready:
                        ready = True
                        notify("READY=1")
                if child.poll() is not None:
                    break
                if self._watchdog:
                    notify("WATCHDOG=1")
                if ready and now - beaten > self._timing.hang:
                    hung = "running"
                elif not ready and now - started > self._timing.start:
                    hung = "starting"
                if hung:
                    child.kill()
                    break
            return self._bury(child), hung
        finally:
            os.close(reading)

    def _start(self, plan: Plan, reading: int, fd: int) -> "subprocess.Popen[bytes] | Forked":
        # In its own process group: Ctrl-C reaches this process alone, which then ends the child in order.
        first, self._first = self._first, None
        if first is None or plan.safe_mode or plan.please_call or threading.active_count() > 1:
            return subprocess.Popen(self._command(plan, fd), pass_fds=[fd], process_group=0)
        sys.stdout.flush()
        child = Forked()
        if child.here:
            os.close(reading)  # else the child would not notice that nobody reads any more
            sys.exit(ENDED if self._ending else first(os.dup(fd)))
        return child

    def _bury(self, child: "subprocess.Popen[bytes] | Forked") -> int:
        if self._ending and child.poll() is None:
            child.terminate()
        try:
            return child.wait(self._timing.farewell)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def _culprits(self, hung: str) -> list[Culprit]:
        found = blame.read(self._files.blame)
        if hung == "running":
            found = [each for each in found if each.ui]  # a busy background thread stops no drawing
        kind = "Hung" if hung else "Died"
        return [Culprit(each.plugin, each.version, each.hook, kind) for each in found]

    def _asked(self, number: int, frame: FrameType | None) -> None:
        self._ending = True

    def _pause(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._ending and time.monotonic() < end:
            time.sleep(min(0.1, seconds))


def notify(state: str) -> None:
    """Tell systemd, if it started us."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.sendto(state.encode(), address)
    except OSError as err:
        log.debug("systemd does not listen: %s", err)
