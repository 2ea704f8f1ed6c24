"""Files by which the supervisor tells the next screen process what became of the last one."""

import contextlib
import logging
import os
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)


class Culprit(msgspec.Struct, frozen=True):
    """A plugin whose code ran when the screen process died; `kind` is Died or Hung."""

    plugin: str
    version: str
    hook: str
    kind: str = "Died"


def read(path: Path) -> list[Culprit]:
    """The culprits in a file; a missing or damaged file holds none."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Culprit])
    except FileNotFoundError:
        return []
    except (OSError, msgspec.DecodeError) as err:
        log.warning("%s cannot be read: %s", path.name, err)
        return []


def write(path: Path, culprits: list[Culprit]) -> None:
    """Replace the file; a disk that refuses is no reason to stop."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(path.name + ".part")
        aside.write_bytes(msgspec.json.encode(culprits))
        os.replace(aside, path)
