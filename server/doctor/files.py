"""What lies around the database: secrets that only we may read, manifests, the charts, a backup."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from protocol.finding import Finding
from server.doctor.visit import Visit
from server.manifests import read_all
from server.web.vendor import ECHARTS, has_charts

OLD: Final = 2 * 86400  # s
_SECRETS: Final = (
    "headquarters.sqlite",
    "broker/nats.conf",
    "broker/collector",
    "mosquitto/collector",
    "mosquitto/passwords",
)


def access(visit: Visit) -> Iterator[Finding]:
    """Whether others on this machine can read passwords' hashes or contacts."""
    inside = stat.S_IMODE(visit.data.stat().st_mode) & stat.S_IXOTH
    files = [visit.data / name for name in _SECRETS]
    readable = [each for each in files if each.exists() and each.stat().st_mode & stat.S_IROTH]
    if inside and readable:
        names = visit.say.some(each.name for each in readable)
        yield visit.say.bad("access.open", files=names, folder=visit.data)
    else:
        yield visit.say.ok("access.ok")


def plugins(visit: Visit) -> Iterator[Finding]:
    """Whether every manifest can be used."""
    found, broken = read_all(visit.folders)
    for err in broken:
        yield visit.say.bad("plugins.refused", error=err)
    if found:
        yield visit.say.ok("plugins.ok", n=len(found), names=visit.say.some(sorted(found), len(found)))


def charts(visit: Visit) -> Iterator[Finding]:
    """Whether the pages can draw, or only show tables."""
    yield visit.say.ok("charts.ok") if has_charts() else visit.say.warn("charts.none", file=ECHARTS.name)


def backup(visit: Visit) -> Iterator[Finding]:
    """How old the newest backup is, where one can be found."""
    say, newest = visit.say, max(_backups(visit), key=lambda each: each.stat().st_mtime, default=None)
    if newest is None:
        yield say.warn("backup.none")
        return
    age = visit.wall() - newest.stat().st_mtime
    report = say.warn if age > OLD else say.ok
    yield report("backup.old" if age > OLD else "backup.ok", file=newest.name, span=say.span(age))


def _backups(visit: Visit) -> Iterator[Path]:
    if visit.backup is not None:
        if visit.backup.is_dir():
            yield from (each for each in visit.backup.iterdir() if each.is_file())
        elif visit.backup.exists():
            yield visit.backup
        return
    for folder in (visit.data, visit.data.parent, visit.data.parent.parent, Path.cwd()):
        yield from folder.glob("*backup*.sqlite")
        yield from folder.glob("backup*/*.sqlite")
