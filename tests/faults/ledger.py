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
        self._changed = threading.Condition()

    def add(self, done: dict[str, Any]) -> None:
        """A `done` line of the driver."""
        known = {field.name for field in fields(Entry)}
        with self._changed:
            self._entries.append(Entry(**{name: value for name, value in done.items() if name in known}))
            self._changed.notify_all()

    def entries(self) -> list[Entry]:
        """All so far."""
        with self._changed:
            return list(self._entries)

    def wait(self, count: int, seconds: float) -> bool:
        """Whether there were so many entries within this time."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self._entries) >= count, seconds)

    def __len__(self) -> int:
        return len(self._entries)
