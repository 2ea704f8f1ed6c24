"""A bound on the screen process's memory: a leak ends this process and not the machine.

Linux gives memory until there is none, and then ends whatever it likes. With a bound the allocation fails
where it is made, mostly in the plugin that takes too much.
"""

import logging
import os
import resource
from typing import Final

log = logging.getLogger(__name__)

#: Bytes that may be written to; the kiosk with all its services takes a fifth of it.
LIMIT: Final = 1536 * 1024 * 1024
#: Exit status of a process that had none left.
EXHAUSTED: Final = 6


def bound(limit: int = LIMIT) -> None:
    """From now on this process and its children get no more than that."""
    try:
        resource.setrlimit(resource.RLIMIT_DATA, (limit, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    except (OSError, ValueError) as err:
        log.warning("memory is not bounded: %s", err)


def give_up() -> None:
    """End at once: what took the memory keeps it, and nothing else works without. The supervisor goes on."""
    log.critical("there is no memory left")
    os._exit(EXHAUSTED)
