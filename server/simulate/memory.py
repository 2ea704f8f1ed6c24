"""What the server and its broker take of this machine, as Linux accounts for it; else nothing is known."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

MIB: Final = 1024  # of the kB that Linux writes
LISTENS: Final = "0A"


@dataclass
class Process:
    """A process by what it does for us: `rss` and `pss` in MiB as last seen, `most` the highest RSS seen.

    `cpu`: processor seconds since it was first seen. Unlike speed they do not depend on what else runs here.
    """

    what: str
    pid: int
    rss: float = 0.0
    pss: float = 0.0
    most: float = 0.0
    cpu: float = 0.0
    _used_before: float | None = None

    def look(self) -> None:
        """See how much it takes now; a process that has ended keeps its last figures."""
        with suppress(OSError):
            for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
                head, _, rest = line.partition(":")
                if head in ("Rss", "Pss"):
                    setattr(self, head.lower(), int(rest.split()[0]) / MIB)
            self.most = max(self.most, self.rss)
            used = sum(map(int, Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[11:13]))
            if self._used_before is None:
                self._used_before = used
            self.cpu = (used - self._used_before) / os.sysconf("SC_CLK_TCK")

    def __str__(self) -> str:
        return f"{self.what} {self.rss:.0f} MiB (PSS {self.pss:.0f})"


def find(database: Path, port: int) -> list[Process]:
    """Who has the database open, and who listens on the broker's port, as far as we may see them."""
    sockets = {f"socket:[{inode}]" for inode in _listeners(port)}
    wanted = str(database.resolve())
    found: dict[int, Process] = {}
    for folder in Path("/proc").glob("[0-9]*/fd"):
        pid = int(folder.parent.name)
        if pid == os.getpid():
            continue
        with suppress(OSError):
            targets = {os.readlink(each) for each in folder.iterdir()}
            if wanted in targets:
                found[pid] = Process("server", pid)
            elif targets & sockets:
                found[pid] = Process("broker", pid)
    return sorted(found.values(), key=lambda each: (each.what != "server", each.pid))


def _listeners(port: int) -> set[str]:
    """The inodes of the sockets that listen on this port."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                    inodes.add(fields[9])
    return inodes
