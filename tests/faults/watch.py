"""Looks at headquarters all the time: does it call anything complete that it has not got?"""

import contextlib
import sqlite3
import threading
from collections.abc import Sequence
from typing import Final

from tests.faults import accounts
from tests.faults.booth import Booth
from tests.faults.centre import Centre

EVERY: Final = 0.7  # s


class Watch:
    """A thread of its own. `looks` counts how often it could look."""

    def __init__(self, centre: Centre, booths: Sequence[Booth]) -> None:
        self.looks = self._taken = 0
        self._centre, self._booths = centre, booths
        self._problems: list[str] = []
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(30)

    def take(self) -> list[str]:
        """What was wrong since the last call; that nothing could be looked at is wrong too."""
        found, self._problems = self._problems, []
        blind = [] if self.looks > self._taken else ["nobody looked at what headquarters calls complete"]
        self._taken = self.looks
        return [*sorted(set(found)), *blind]

    def look(self) -> None:
        """One look; what cannot be read at this moment is looked at next time."""
        with accounts.looking(self._centre.database) as db:
            known = accounts.known(db)
            upto = {(a, b): n for a, b, n in db.execute("SELECT station, name, upto FROM stream")}
        for booth in self._booths:
            if booth.id not in known:
                continue
            station = known[booth.id]
            with accounts.looking(booth.database) as db:
                stream = accounts.meta(db, "stream", "")
                owned = upto.get((booth.id, stream))
                if owned is None:
                    continue
                # `at` of a row is when it happened, by the station's clock: a wrong one is far from here.
                rows = db.execute(
                    "SELECT number, at FROM _stream_up WHERE number > ? AND at <= ?", [owned, station.upto]
                ).fetchall()
            self._problems += [
                f"{booth.id} is called complete at {at}, and number {number} of then is missing"
                for number, at in rows
                if accounts.called_complete(station, at)
            ]
        self.looks += 1

    def _run(self) -> None:
        while not self._closing.wait(EVERY):
            # Files that are locked, replaced, damaged or away are what this is all about.
            with contextlib.suppress(sqlite3.Error, OSError):
                self.look()
