"""Named places where tests kill this process: `YIZHAN_CRASH="before_commit:3"`, the third time it is there.

It ends by a SIGKILL of its own, so that nothing is written, flushed or said after that place. Places:
before_commit, after_commit, before_ack, after_ack, mid_batch.
"""

import os
import signal
from typing import Final

_NAME, _, _TIMES = os.environ.get("YIZHAN_CRASH", "").partition(":")

#: Whether this process is to be killed at one of the places.
ARMED: Final = bool(_NAME)

_left = int(_TIMES or 1)


def reach(name: str) -> None:
    """This process has come to a named place. Costs one look at a flag unless the place is asked for."""
    global _left
    if ARMED and name == _NAME:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
