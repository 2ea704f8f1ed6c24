"""Who is logged in at headquarters' pages, and API tokens: random, kept as hashes, with an end."""

import hashlib
import secrets
from typing import Final, Literal

from sqlalchemy import Connection, delete, insert, select

from server.store.schema import session

COOKIE_MS: Final = 12 * 3600 * 1000
API_MS: Final = 365 * 24 * 3600 * 1000

Kind = Literal["cookie", "api"]


def open(conn: Connection, user: str, now: int, kind: Kind = "cookie", lasts: int | None = None) -> str:
    """A new token for this user, good for `lasts` ms: by default a cookie 12 hours, an API token a year."""
    token = secrets.token_urlsafe(32)
    ends = now + (lasts or (COOKIE_MS if kind == "cookie" else API_MS))
    conn.execute(
        insert(session).values(token_hash=_hash(token), user=user, kind=kind, opened_at=now, expires_at=ends)
    )
    return token


def user_of(conn: Connection, token: str, now: int, kind: Kind = "cookie") -> str | None:
    """Whose token this is, or None."""
    return conn.scalar(
        select(session.c.user).where(
            session.c.token_hash == _hash(token), session.c.kind == kind, session.c.expires_at > now
        )
    )


def close(conn: Connection, token: str) -> None:
    """Log out."""
    conn.execute(delete(session).where(session.c.token_hash == _hash(token)))


def expire(conn: Connection, now: int) -> int:
    """Forget sessions that have ended; how many."""
    return conn.execute(delete(session).where(session.c.expires_at <= now)).rowcount


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
