"""What comes in: whether it is stored, whether requests get answers, what is turned away."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import func, select

from protocol.finding import Finding
from server.doctor.database import is_current
from server.doctor.stations import FRESH_MS, heard
from server.doctor.visit import Visit
from server.store.gaps import CLONE
from server.store.messages import DAY_MS
from server.store.schema import message, refusal, request

ANSWERED_WITHIN_MS: Final = 5 * 60 * 1000
#: Of copied disks, which have a check of their own.
_COPIES: Final = frozenset({CLONE, "forked"})


def intake(visit: Visit) -> Iterator[Finding]:
    """Whether anything was stored lately: with stations on the line a heartbeat comes every five minutes."""
    with visit.reading() as conn:
        if not is_current(conn):
            return
        latest = select(message.c.received_at).order_by(message.c.id.desc()).limit(1)
        stored = conn.scalar(latest)
        known = heard(conn)
    say, active = visit.say, [each for each in known if each.active]
    if stored is None:
        if active and visit.now - max(each.claimed_at for each in active) > FRESH_MS:
            yield say.bad("intake.nothing", n=len(active))
        else:
            yield say.ok("intake.new")
        return
    age = (visit.now - stored) / 1000
    if active and age * 1000 > FRESH_MS:
        yield say.bad("intake.stale", span=say.span(age))
    else:
        yield say.ok("intake.ok", span=say.span(age))


def requests(visit: Visit) -> Iterator[Finding]:
    """Whether somebody at a station still waits for an answer."""
    late = (request.c.status.is_(None), request.c.received_at < visit.now - ANSWERED_WITHIN_MS)
    with visit.reading() as conn:
        if not is_current(conn):
            return
        counted = select(request.c.service, func.count(), func.min(request.c.received_at)).where(*late)
        rows = list(conn.execute(counted.group_by(request.c.service)))
    say = visit.say
    for service, n, since in rows:
        yield say.bad("requests.wait", n=n, service=service, span=say.span((visit.now - since) / 1000))
    if not rows:
        yield say.ok("requests.ok")


def refusals(visit: Visit) -> Iterator[Finding]:
    """What was turned away in the last day, by reason."""
    lately = refusal.c.last_at >= visit.now - DAY_MS
    with visit.reading() as conn:
        if not is_current(conn):
            return
        found = select(refusal.c.reason, refusal.c.station, refusal.c.problem).where(lately)
        rows = [row for row in conn.execute(found.order_by(refusal.c.last_at.desc()))]
    rows = [row for row in rows if row.reason not in _COPIES]
    say = visit.say
    for reason in sorted({row.reason for row in rows}):
        mine = [row for row in rows if row.reason == reason]
        names = say.some(row.station or say.text("refusals.unknown") for row in mine)
        text = visit.on_pages(f"refusal.{reason}") or reason
        yield say.warn("refusals.some", reason=text, stations=names, problem=mine[0].problem or "-")
    if not rows:
        yield say.ok("refusals.ok")
