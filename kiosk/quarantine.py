"""Files by which the supervisor tells the next screen process what became of the last one."""

import contextlib
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Culprit:
    """A plugin whose code ran when the screen process died; `kind` is Died or Hung."""

    plugin: str
    version: str
    hook: str
    kind: str = "Died"


def read(path: Path) -> list[Culprit]:
    """The culprits in a file; a missing or damaged file holds none."""
    try:
        found = [Culprit(**each) for each in json.loads(path.read_bytes())]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, TypeError) as err:
        log.warning("%s cannot be read: %s", path.name, err)
        return []
    if not all(isinstance(value, str) for each in found for value in asdict(each).values()):
        log.warning("%s cannot be read: not a list of culprits", path.name)
        return []
    return found


def write(path: Path, culprits: list[Culprit]) -> None:
    """Replace the file; a disk that refuses is no reason to stop."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = path.with_name(path.name + ".part")
        aside.write_text(json.dumps([asdict(each) for each in culprits]), encoding="utf-8")
        os.replace(aside, path)
