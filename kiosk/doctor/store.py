"""What the station keeps: its database, what waits in it for headquarters, and the means to salvage it."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from kiosk.doctor import readonly
from kiosk.doctor.visit import Visit
from kiosk.outbox import LIMIT
from protocol.finding import Finding, size

SECONDS: Final = 20.0
WAITS_LONG: Final = 15 * 60  # s; three heartbeats
_RECOVERS_SINCE: Final = (3, 29)  # the first sqlite3 whose .recover can be relied on


def database(visit: Visit) -> Iterator[Finding]:
    """Whether the file can be read and is whole, and what was set aside before."""
    path, say = visit.files.database, visit.say
    if not path.exists():
        yield say.warn("database.none", file=path.name)
    else:
        try:
            with closing(readonly.connect(path, SECONDS)) as conn:
                answer = conn.execute("PRAGMA quick_check(1)").fetchone()
            if answer == ("ok",):
                yield say.ok("database.ok", size=size(path.stat().st_size))
            else:
                yield say.bad("database.damaged", error=str(answer[0]).splitlines()[-1] if answer else "?")
        except sqlite3.DatabaseError as err:
            if getattr(err, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                yield say.warn("database.long", size=size(path.stat().st_size), span=say.span(SECONDS))
            else:
                yield say.bad("database.damaged", error=err)
    aside = re.compile(re.escape(path.name) + r"\.damaged-\d{8}-\d{6}(-\d+)?")
    copies = sorted(each for each in path.parent.iterdir() if aside.fullmatch(each.name))
    if copies:
        weight = size(sum(each.stat().st_size for each in copies))
        yield say.warn("database.aside", n=len(copies), newest=copies[-1].name, size=weight)


def outbox(visit: Visit) -> Iterator[Finding]:
    """How many messages wait for headquarters, since when, and which never can arrive."""
    path, say = visit.files.database, visit.say
    if not path.exists():
        return
    try:
        with closing(readonly.connect(path, SECONDS)) as conn:
            acked = (conn.execute("SELECT value FROM _meta WHERE key = 'acked'").fetchone() or [0])[0]
            waiting, since = conn.execute(
                "SELECT count(*), min(at) FROM _stream_up WHERE number > ?", [acked]
            ).fetchone()
            parked = 0
            if conn.execute("SELECT 1 FROM sqlite_master WHERE name = '_parked'").fetchone():
                parked = conn.execute("SELECT count(*) FROM _parked").fetchone()[0]
    except sqlite3.DatabaseError as err:
        yield say.warn("outbox.unreadable", error=err)
        return
    age = 0.0 if since is None else visit.wall() - since / 1000
    if waiting > LIMIT * 0.8:
        yield say.bad("outbox.full", n=waiting, limit=LIMIT, span=say.span(age))
    elif waiting and age > WAITS_LONG:
        yield say.warn("outbox.waits", n=waiting, span=say.span(age))
    else:
        yield say.ok("outbox.ok", n=waiting)
    if parked:
        yield say.warn("outbox.parked", n=parked)


def salvage(visit: Visit) -> Iterator[Finding]:
    """Whether the command is there that reads what is left of a damaged database."""
    say = visit.say
    program = shutil.which("sqlite3")
    if program is None:
        yield say.warn("salvage.none")
        return
    done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=5, check=False)
    found = re.match(r"(\d+)\.(\d+)\S*", done.stdout)
    if found is None or (int(found[1]), int(found[2])) < _RECOVERS_SINCE:
        yield say.warn("salvage.old", version=found[0] if found else "?")
    else:
        yield say.ok("salvage.ok", version=found[0])
