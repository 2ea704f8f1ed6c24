"""The stations as headquarters knows them: who is not heard, who is heard twice, of whom something lacks."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, select

from protocol.finding import Finding
from server.completeness import SLACK_MS
from server.doctor.database import is_current
from server.doctor.visit import Visit
from server.store import clones as clone_texts
from server.store import stations as store
from server.store.gaps import CLONE
from server.store.messages import DAY_MS
from server.store.schema import gap, refusal, watermark

FRESH_MS: Final = SLACK_MS


@dataclass(frozen=True)
class Heard:
    """When a station was last heard in any way (`at`), and when it last brought its numbers up to date."""

    station: str
    active: bool
    online: bool
    claimed_at: int
    at: int
    moved_at: int


def heard(conn: Connection) -> list[Heard]:
    """Every station that was ever claimed. Times in ms, 0 for never."""
    moved = {row.station: row.received_at for row in conn.execute(select(watermark))}
    return [
        Heard(
            each.id,
            each.active,
            each.online,
            each.claimed_at,
            max(each.seen_at or 0, moved.get(each.id, 0)),
            moved.get(each.id, 0),
        )
        for each in store.every(conn)
        if each.claimed_at is not None
    ]


def stations(visit: Visit) -> Iterator[Finding]:
    """Which stations were never heard, are not heard any more, or are there and say nothing."""
    with visit.reading() as conn:
        if not is_current(conn):
            return
        known = [each for each in heard(conn) if each.active]
    say, old = visit.say, visit.now - FRESH_MS
    never = [each.station for each in known if not each.at and each.claimed_at < old]
    lost = [each for each in known if each.at and max(each.at, each.claimed_at) < old]
    mute = [each for each in known if each.at >= old and max(each.moved_at, each.claimed_at) < old]
    if never:
        yield say.warn("stations.never", n=len(never), stations=say.some(never))
    if lost:
        report = say.bad if len(lost) == len(known) else say.warn
        names = say.some(each.station for each in sorted(lost, key=lambda each: each.at))
        longest = say.span((visit.now - min(each.at for each in lost)) / 1000)
        yield report("stations.lost", n=len(lost), of=len(known), stations=names, span=longest)
    if mute:
        yield say.bad("stations.mute", n=len(mute), stations=say.some(each.station for each in mute))
    if not (never or lost or mute):
        yield say.ok("stations.ok", n=len(known))


def clones(visit: Visit) -> Iterator[Finding]:
    """Which station's name two machines use."""
    lasting = select(gap.c.station).where(gap.c.why == CLONE, gap.c.until.is_(None)).distinct()
    told = select(refusal.c.station, refusal.c.problem).where(refusal.c.reason == CLONE)
    with visit.reading() as conn:
        if not is_current(conn):
            return
        names = sorted(conn.scalars(lasting))
        which = {row.station: row.problem for row in conn.execute(told)}
    for name in names:
        yield visit.say.bad("clones.some", station=name, which=_which(visit, which.get(name, "")))
    if not names:
        yield visit.say.ok("clones.ok")


def _which(visit: Visit, problem: str) -> str:
    machines, say = clone_texts.read(problem), visit.say
    if not machines:
        return ""
    one, other = ((each.short, say.span((visit.now - each.heard) / 1000)) for each in machines)
    return say.text("clones.which", one=one[0], one_span=one[1], other=other[0], other_span=other[1])


def gaps(visit: Visit) -> Iterator[Finding]:
    """Of whom something of the last day lacks for good, and why."""
    with visit.reading() as conn:
        if not is_current(conn):
            return
        lately = (gap.c.at >= visit.now - DAY_MS) | gap.c.until.is_(None)
        rows = list(conn.execute(select(gap.c.station, gap.c.why, gap.c.n).where(lately, gap.c.why != CLONE)))
    say = visit.say
    for why in sorted({row.why for row in rows}):
        mine = [row for row in rows if row.why == why]
        names = say.some(sorted({row.station for row in mine}))
        text = visit.on_pages(f"gap.why.{why}") or why
        n = sum(row.n for row in mine)
        count = say.text("gaps.messages", n=n) if n else say.text("gaps.unknown")
        yield say.warn("gaps.some", why=text, stations=names, n=count)
    if not rows:
        yield say.ok("gaps.ok")
