"""Databases of headquarters as tests begin with them, made once a process: migrations take half a second."""

import tempfile
from functools import cache
from pathlib import Path

from server.store import Store, stations
from server.store.engine import FILE


def lay(folder: Path, *names: str, at: int = 0) -> None:
    """A folder with an up-to-date database, in which these stations were added and claimed at `at` (ms)."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    (folder / FILE).write_bytes(_made(names, at))


@cache
def _made(names: tuple[str, ...], at: int) -> bytes:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if names:
            lay(folder)
        store = Store(folder)
        for each in names:
            with store.write() as conn:
                stations.claim(conn, stations.add(conn, each, name=each, now=at), at)
        store.checkpoint(empty=True)
        store.close()
        return (folder / FILE).read_bytes()
