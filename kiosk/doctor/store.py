"""What the station keeps: its database, and what waits in it for headquarters."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Final

from kiosk.doctor import readonly
from kiosk.doctor.visit import Visit
from kiosk.outbox import LIMIT
from kiosk.tally import Tally
from protocol.finding import Finding, size

SECONDS: Final = 20.0
RUN_LETTERS: Final = 6  # as many as headquarters' pages show
_OF_THE_MACHINE: Final = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_AUTH,
    }
)
WAITS_LONG: Final = 15 * 60  # s; three heartbeats


def database(visit: Visit) -> Iterator[Finding]:
    """Whether the file can be read and is whole, and what was set aside before."""
    path, say = visit.files.database, visit.say
    if path.with_name(f"{path.name}.suspect").exists():
        yield say.bad("database.suspect")
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
            code = getattr(err, "sqlite_errorcode", 0) & 0xFF
            if code == sqlite3.SQLITE_INTERRUPT:
                yield say.warn("database.long", size=size(path.stat().st_size), span=say.span(SECONDS))
            else:
                yield say.bad("database.closed" if code in _OF_THE_MACHINE else "database.damaged", error=err)
    aside = re.compile(re.escape(path.name) + r"\.damaged-\d{8}-\d{6}(-\d+)?")
    copies = sorted(each for each in path.parent.iterdir() if aside.fullmatch(each.name))
    if copies:
        weight = size(sum(each.stat().st_size for each in copies))
        yield say.warn("database.aside", n=len(copies), newest=copies[-1].name, size=weight)


def run(visit: Visit) -> Iterator[Finding]:
    """By which run headquarters knows what this machine said last: it tells machines of one name apart."""
    if not visit.files.database.exists():
        return
    try:
        with closing(readonly.connect(visit.files.database, SECONDS)) as conn:
            newest = conn.execute("SELECT run FROM _stream_up ORDER BY number DESC LIMIT 1").fetchone()
    except sqlite3.DatabaseError:
        return  # the other two checks say what is wrong with it
    if newest is not None and newest[0]:
        yield visit.say.ok("run.ok", run=newest[0][:RUN_LETTERS])


def outbox(visit: Visit) -> Iterator[Finding]:
    """How many messages wait for headquarters, since when, and which never can arrive."""
    path, say = visit.files.database, visit.say
    if not path.exists():
        return
    # Before the database: it is written after it, so that what it says later may be newer.
    tally = Tally(path.with_name(f"{path.name}.tally")).read()
    try:
        with closing(readonly.connect(path, SECONDS)) as conn:
            acked = (conn.execute("SELECT value FROM _meta WHERE key = 'acked'").fetchone() or [0])[0]
            waiting, since = conn.execute(
                "SELECT count(*), min(at) FROM _stream_up WHERE number > ?", [acked]
            ).fetchone()
            last = conn.execute("SELECT max(number) FROM _stream_up").fetchone()[0] or 0
            stream = (conn.execute("SELECT value FROM _meta WHERE key = 'stream'").fetchone() or [""])[0]
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
    for missing in tally.missing:
        why = say.texts.get(f"missing.{missing.why}", missing.why)
        yield say.warn("outbox.missing", why=why, n=missing.n or "?")
    if tally.stream == stream and tally.last > last:
        yield say.warn("outbox.behind", n=tally.last - last)
    if parked:
        yield say.warn("outbox.parked", n=parked)
