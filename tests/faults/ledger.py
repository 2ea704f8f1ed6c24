"""What a station showed as done, kept by who drives it: the first of the accounts that must agree."""

import threading
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Entry:
    """One message as the screen showed it as done; the fields of `kiosk.station.Done`."""

    stream: str
    number: int
    run: str
    kind: str
    plugin: str
    name: str
    at: int
    id: str = ""

    @property
    def what(self) -> tuple[str, str, str, int, str]:
        """What a message keeps under whatever number it arrives."""
        return self.kind, self.plugin, self.name, self.at, self.id


class Ledger:
    """One station's entries, written by the thread that reads its screen, read by any."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._lock = threading.Lock()

    def add(self, done: dict[str, Any]) -> None:
        """A `done` line of the driver."""
        known = {field.name for field in fields(Entry)}
        with self._lock:
            self._entries.append(Entry(**{name: value for name, value in done.items() if name in known}))

    def entries(self) -> list[Entry]:
        """All so far."""
        with self._lock:
            return list(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
