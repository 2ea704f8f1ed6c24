"""The screen process's sign of life: a byte a second from the UI thread to the supervisor, through a pipe."""

import contextlib
import os
import signal
from typing import Final

from kiosk import ui_thread

SECOND: Final = 1.0
STARTING: Final = b"s"
READY: Final = b"r"

_fd = -1
_sign = STARTING


def start(fd: int) -> None:
    """Beat on this pipe from now on; nothing to do without a supervisor (`fd` below 0)."""
    global _fd
    if fd >= 0:
        _fd = fd
        os.set_blocking(fd, False)
        os.set_inheritable(fd, False)
        ui_thread.call_every(SECOND, _beat)


def ready() -> None:
    """The services are loaded: from now on silence means that the screen hangs."""
    global _sign
    _sign = READY
    ui_thread.call_soon(_beat)


def _beat() -> None:
    if _fd < 0:
        return
    try:
        with contextlib.suppress(BlockingIOError):
            os.write(_fd, _sign)
    except BrokenPipeError:
        # The supervisor is gone: another one may start another kiosk, which needs the database and screen.
        os.kill(os.getpid(), signal.SIGTERM)
