"""The blame journal: which plugin's code each thread runs just now, readable after the process is dead.

A small file mapped into memory: a note costs a microsecond, and the kernel keeps it when the process dies by
whatever means. It is not flushed, because a power cut takes nobody's blame.
"""

import contextlib
import logging
import mmap
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from kiosk import ui_thread

log = logging.getLogger(__name__)

SLOTS: Final = 16
WIDTH: Final = 128  # bytes a slot
_EMPTY: Final = bytes(WIDTH)


@dataclass(frozen=True)
class Blame:
    """`plugin` in `version` was inside `hook`; `ui` if that was the thread that draws."""

    plugin: str
    hook: str
    version: str
    ui: bool


class Journal:
    """One slot for each thread that calls plugins, the first for the UI thread."""

    def __init__(self, path: Path) -> None:
        self._map = _mapped(path)
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._given = 0
        self._notes: dict[tuple[str, str, str], bytes] = {}

    def enter(self, plugin: str, hook: str, version: str) -> bytes:
        """Note who runs on this thread from now on; hand what is returned to `leave`."""
        slot = self._slot()
        note = self._notes.get((plugin, hook, version))
        if note is None:
            note = f"{plugin}\t{hook}\t{version}\n".encode()[:WIDTH].ljust(WIDTH, b"\0")
            self._notes[plugin, hook, version] = note
        before = self._map[slot : slot + WIDTH]
        self._map[slot : slot + WIDTH] = note
        return before

    def leave(self, before: bytes) -> None:
        """Back to what ran around the call."""
        slot = self._slot()
        self._map[slot : slot + WIDTH] = before

    def _slot(self) -> int:
        slot: int | None = getattr(self._mine, "slot", None)
        if slot is None:
            if ui_thread.is_current():
                slot = 0
            else:
                with self._lock:
                    self._given = min(self._given + 1, SLOTS - 1)
                    slot = self._given * WIDTH
            self._mine.slot = slot
        return slot


def _mapped(path: Path) -> mmap.mmap:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(SLOTS * WIDTH))
        with path.open("r+b") as file:
            return mmap.mmap(file.fileno(), SLOTS * WIDTH)
    except OSError as err:
        # Nobody can be blamed then, which is better than a dark screen.
        log.warning("no blame journal: %s", err)
        return mmap.mmap(-1, SLOTS * WIDTH)


def read(path: Path) -> list[Blame]:
    """Who ran when the process died, UI thread first; an unreadable journal names nobody."""
    try:
        data = path.read_bytes()
    except OSError:
        return []
    found = []
    for index in range(min(SLOTS, len(data) // WIDTH)):
        slot = data[index * WIDTH : (index + 1) * WIDTH]
        if slot != _EMPTY:
            parts = slot.rstrip(b"\0\n").decode(errors="replace").split("\t")
            if len(parts) == 3:
                found.append(Blame(parts[0], parts[1], parts[2], ui=index == 0))
    return found


def clear(path: Path) -> None:
    """Forget what the journal says, before another process starts."""
    with contextlib.suppress(OSError):
        path.unlink()
