"""What the screen needs: fonts with Chinese letters, and a window that can be drawn into.

Both are looked at by `kiosk.ui.trial` in a child process: it loads Kivy, and graphics drivers crash.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from typing import Any, Final

from kiosk.doctor import child
from kiosk.doctor.visit import Visit
from protocol.finding import Finding

SECONDS: Final = 20.0
_DISPLAYS: Final = ("DISPLAY", "WAYLAND_DISPLAY", "SDL_VIDEODRIVER")


def fonts(visit: Visit) -> Iterator[Finding]:
    """Whether the built faces are there and hold Chinese letters."""
    said, ended = _try("fonts")
    if said is None:
        yield visit.say.bad("fonts.crashed", how=ended.how(), error=ended.last_line)
    elif said["missing"]:
        yield visit.say.bad("fonts.missing", files=visit.say.some(said["missing"]), folder=said["folder"])
    elif said["without_han"]:
        files = visit.say.some(said["without_han"])
        yield visit.say.bad("fonts.no_chinese", files=files, folder=said["folder"])
    else:
        yield visit.say.ok("fonts.ok", folder=said["folder"])


def window(visit: Visit) -> Iterator[Finding]:
    """Whether a window can be made and drawn into; without a display in memory only, and it says so."""
    say = visit.say
    display = next((name for name in _DISPLAYS if os.environ.get(name)), "")
    driver = os.environ.get("SDL_VIDEODRIVER", "")
    hidden = driver == "offscreen" or not display
    said, ended = _try("window", {} if display else {"SDL_VIDEODRIVER": "offscreen"})
    if said is None:
        where = "offscreen" if hidden else f"{display}={os.environ[display]}"
        key = "screen.hangs" if ended.status is None else "screen.none"
        yield say.bad(key, where=where, how=ended.how(), span=say.span(SECONDS))
    elif not said["drawn"]:
        yield say.bad("screen.black", renderer=said["renderer"])
    else:
        yield say.ok("screen.hidden" if hidden else "screen.ok", renderer=said["renderer"])


def _try(what: str, environment: dict[str, str] | None = None) -> tuple[dict[str, Any] | None, child.Ended]:
    """What the trial has said, or None if it said nothing; and how it ended."""
    with tempfile.TemporaryDirectory(prefix="yizhan-doctor-") as home:
        ended = child.python(["-m", "kiosk.ui.trial", what, home], SECONDS, environment)
    for line in reversed(ended.out.splitlines()):
        if line.startswith("{"):
            said: dict[str, Any] = json.loads(line)
            return said, ended
    return None, ended
