"""Media files by their SHA-256: fetched aside, continued where they broke off, verified, then in place."""

import contextlib
import logging
import os
import random
import re
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from kiosk.errors import HttpError

if TYPE_CHECKING:
    from kiosk.http import Http

log = logging.getLogger(__name__)

CHUNK: Final = 256 * 1024
SPARE: Final = 200 * 1024 * 1024  # bytes of the disk that media never takes
RETRY: Final = (5.0, 300.0)  # s after a failure, at first and at most
_SHA256: Final = re.compile(r"[0-9a-f]{64}")


class Library:
    """`path` is for any thread and never waits; `arrived(sha256)` is called on the library's thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._here: frozenset[str] = frozenset()
        self._wanted: frozenset[str] = frozenset()
        self.arrived: Callable[[str], None] = lambda sha256: None
        self._http: Http | None = None
        self._thread: threading.Thread | None = None
        self._change = threading.Condition()
        self._asked = False
        self._only = False
        self._stopping = False

    def load(self) -> None:
        """See what is on disk; a file has its name only since it was verified."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            names = [each.name for each in os.scandir(self._folder)]
        except OSError as err:
            log.error("no media files: %s", err)
            return
        self._here = frozenset(name for name in names if _SHA256.fullmatch(name))

    def path(self, sha256: str) -> Path | None:
        """The file, if it is here as a whole."""
        return self._folder / sha256 if sha256 in self._here else None

    def start(self, http: "Http") -> None:
        """Fetch what is wanted from this server, on a thread of its own."""
        self._http = http
        self._thread = threading.Thread(target=self._keep, name="yizhan-library", daemon=True)
        self._thread.start()

    def want(self, files: frozenset[str], only: bool) -> None:
        """These files are needed from now on; with `only`, all others may be deleted."""
        with self._change:
            self._wanted = frozenset(each for each in files if _SHA256.fullmatch(each))
            self._only = only
            self._asked = True
            self._change.notify()

    def stop(self) -> None:
        with self._change:
            self._stopping = True
            self._change.notify()
        if self._thread is not None:
            self._thread.join(1.0)

    def _keep(self) -> None:
        failures = 0
        while True:
            with self._change:
                pause = random.uniform(RETRY[0] / 2, min(RETRY[1], RETRY[0] * 2.0 ** min(failures, 10)))
                self._change.wait_for(lambda: self._asked or self._stopping, pause if failures else None)
                if self._stopping:
                    return
                self._asked, wanted, only = False, self._wanted, self._only
            if only:
                with contextlib.suppress(OSError):
                    self._forget(wanted)
            failed = [each for each in sorted(wanted - self._here) if not self._try(each)]
            failures = failures + 1 if failed else 0

    def _try(self, sha256: str) -> bool:
        from http.client import HTTPException  # 40 ms of e-mail parsing, so on this thread

        if self._stopping:
            return True
        try:
            self.fetch(sha256)
        except (HttpError, OSError, HTTPException) as err:
            log.warning("media %s… is not here yet: %s", sha256[:8], err)
            return False
        self._here |= {sha256}
        self.arrived(sha256)
        return True

    def fetch(self, sha256: str) -> None:
        """Fetch one file, from where the last attempt broke off; HttpError or OSError if it is not whole."""
        assert self._http is not None
        part = self._folder / f"{sha256}.part"
        have = part.stat().st_size if part.exists() else 0
        headers = {"Range": f"bytes={have}-"} if have else {}
        try:
            response = self._http.open(f"/station/v1/media/{sha256}", headers)
        except HttpError as err:
            if err.status != 416:
                raise
            self._accept(part, sha256)  # nothing comes after what is here: it is whole, or it is wrong
            return
        with response:
            goes_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(
                f"bytes {have}-"
            )
            if response.status not in (200, 206) or (response.status == 206 and not goes_on):
                raise HttpError(f"media: HTTP status {response.status} does not fit", response.status)
            expected = response.length
            if shutil.disk_usage(self._folder).free - (expected or 0) < SPARE:
                raise HttpError("media: the disk is nearly full")
            got = 0
            with part.open("ab" if goes_on else "wb") as file:
                while chunk := response.read(CHUNK):
                    file.write(chunk)
                    got += len(chunk)
                    if self._stopping:
                        raise HttpError("media: stopped")
                file.flush()
                os.fsync(file.fileno())
        if expected is not None and got < expected:
            raise HttpError(f"media: broke off after {got} of {expected} bytes")
        self._accept(part, sha256)

    def _accept(self, part: Path, sha256: str) -> None:
        import hashlib

        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != sha256:
            part.unlink()
            raise HttpError("media: the content does not match its name")
        os.replace(part, self._folder / sha256)

    def _forget(self, wanted: frozenset[str]) -> None:
        for name in self._here - wanted:
            (self._folder / name).unlink(missing_ok=True)
        self._here &= wanted
        for entry in list(os.scandir(self._folder)):
            if entry.name.endswith(".part") and entry.name.removesuffix(".part") not in wanted:
                Path(entry.path).unlink(missing_ok=True)
