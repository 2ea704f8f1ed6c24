"""The tally beside the database: where the stream stands, and what could not be stored, in one small file.

It is written in place after each commit and never flushed: it survives the death of the process, and a disk
that is full. After a power loss it may be older than the database, which then is right. It is newer only if
the database has lost what was stored.
"""

import contextlib
import logging
import os
import threading
import time
import zlib
from pathlib import Path
from typing import Any, Final

import msgspec

log = logging.getLogger(__name__)

SLOT: Final = 2048  # bytes; written by turns, so that half a write leaves the other one
RETRY: Final = 5.0  # s between attempts to make a file that could not be made


class Missing(msgspec.Struct, frozen=True):
    """`n` messages (0: nobody knows) of `since` to `until`, ms, that will never arrive, and `why`.

    `up` is what the monotonic clock of the machine's run `boot` showed at `until`; both may be unknown.
    """

    id: str
    why: str
    n: int
    since: int
    until: int
    boot: str = ""
    up: int = 0

    def seen_at(self, wall: int, boot: str, up: int) -> "Missing":
        """The same by a wall clock that shows `wall` when the monotonic clock of `boot` shows `up`, all ms.

        What another run of the machine measured stays as it is: nobody knows how wrong its clock was.
        """
        if not self.boot or self.boot != boot:
            return self
        shift = (wall - up) - (self.until - self.up)
        return msgspec.structs.replace(self, since=self.since + shift, until=self.until + shift)

    def and_then(self, newer: "Missing") -> "Missing":
        """Both as one, under the newer one's id and by its clock."""
        before = self.seen_at(newer.until, newer.boot, newer.up)
        since, until = min(before.since, newer.since), max(before.until, newer.until)
        if self.boot != newer.boot:
            # Of another run of the machine, perhaps with a wrong clock: the beginning is not known.
            since, until = 0, newer.until
        n = self.n + newer.n if self.n and newer.n else 0
        return msgspec.structs.replace(newer, n=n, since=since, until=until)


class Facts(msgspec.Struct, frozen=True, omit_defaults=True):
    """The stream's last number and the last acknowledged one, with its time; how often a line was made."""

    turn: int = 0
    stream: str = ""
    last: int = 0
    acked: int = 0
    acked_at: int = 0
    births: int = 0
    missing: tuple[Missing, ...] = ()


_decoder: Final = msgspec.json.Decoder(Facts)


class Tally:
    """`facts` are kept in memory whether or not there is a file to keep them in."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts = Facts()
        self._read = False
        self._failed = 0.0
        self._lock = threading.RLock()

    def read(self) -> Facts:
        """What the file says, at the first call; a missing or torn one says nothing."""
        if not self._read:
            self._read = True
            with contextlib.suppress(OSError):
                data = self.path.read_bytes()
                slots = [_unpack(data[:SLOT]), _unpack(data[SLOT : 2 * SLOT])]
                self.facts = max(filter(None, slots), key=lambda facts: facts.turn, default=self.facts)
        return self.facts

    def keep(self, **changes: Any) -> None:
        """Note what has changed; from any thread."""
        with self._lock:
            self._keep(changes)

    def _keep(self, changes: dict[str, Any]) -> None:
        facts: Facts = msgspec.structs.replace(self.read(), **changes)
        if facts == self.facts:
            return
        self.facts = msgspec.structs.replace(facts, turn=facts.turn + 1)
        if self._failed and time.monotonic() - self._failed < RETRY:
            return
        try:
            self._write(_pack(self.facts), (self.facts.turn % 2) * SLOT)
            self._failed = 0.0
        except OSError as err:
            self._failed = time.monotonic()
            log.warning("the tally is kept in memory only: %s", err)

    def miss(self, missing: Missing) -> None:
        """Add to what is missing; what has the same reason becomes one."""
        with self._lock:
            known = {each.why: each for each in self.read().missing}
            if (before := known.get(missing.why)) is not None:
                missing = before.and_then(missing)
            known[missing.why] = missing
            self.keep(missing=tuple(known.values()))

    def _write(self, data: bytes, offset: int) -> None:
        try:
            file = os.open(self.path, os.O_WRONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(file).st_size < 2 * SLOT:
                # All of it now: later there may be no room.
                os.pwrite(file, bytes(2 * SLOT), 0)
            os.pwrite(file, data, offset)
        finally:
            os.close(file)


def _pack(facts: Facts) -> bytes:
    data = msgspec.json.encode(facts)
    return (zlib.crc32(data).to_bytes(4) + len(data).to_bytes(2) + data).ljust(SLOT, b"\0")


def _unpack(slot: bytes) -> Facts | None:
    data = slot[6 : 6 + int.from_bytes(slot[4:6])]
    if not data or zlib.crc32(data).to_bytes(4) != slot[:4]:
        return None
    try:
        return _decoder.decode(data)
    except msgspec.DecodeError:
        return None
