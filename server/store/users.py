"""People at headquarters: argon2id passwords, and a back-off that survives restarts."""

from functools import lru_cache
from typing import Any, Final

from sqlalchemy import Connection, insert, select, update

from server.errors import Locked, NotFound, Refused
from server.store.engine import Store
from server.store.schema import user

FREE_TRIES: Final = 5
WAIT_MS: Final = 5_000  # after the first try too many; doubles
WAIT_MAX_MS: Final = 15 * 60_000
PASSWORD_MIN: Final = 8


def add(conn: Connection, name: str, password: str, now: int) -> None:
    """Add a person. Refused if the name exists or the password is shorter than 8 letters."""
    if not 1 <= len(name) <= 64 or name != name.strip():
        raise Refused("A user name has 1 to 64 letters and no spaces around it.", name=name)
    if conn.scalar(select(user.c.name).where(user.c.name == name)):
        raise Refused(f"There is a user '{name}' already.", name=name)
    conn.execute(
        insert(user).values(name=name, password_hash=_hash(password), added_at=now, failures=0, wait_until=0)
    )


def set_password(conn: Connection, name: str, password: str) -> None:
    """Give a person a new password."""
    done = conn.execute(update(user).where(user.c.name == name).values(password_hash=_hash(password)))
    if not done.rowcount:
        raise NotFound(f"There is no user '{name}'.", name=name)


def verify(store: Store, name: str, password: str, now: int) -> bool:
    """Whether the password is right. After 5 wrong ones in a row raises Locked for a growing time.

    Must be called outside of any transaction: hashing takes long on purpose, and nobody waits for it. Each
    try counts as wrong before it is judged, so that many at once do not slip through together.
    """
    with store.write() as conn:
        kept = _enter(conn, name, now)
    if kept is None:
        _hasher().hash(password)  # as slow as a wrong password: the time tells no names
        return False
    if not _matches(kept, password):
        return False
    values: dict[str, Any] = {"failures": 0, "wait_until": 0}
    if _hasher().check_needs_rehash(kept):
        values["password_hash"] = _hasher().hash(password)
    with store.write() as conn:
        # A password that was changed meanwhile stays changed, and then this one was wrong.
        same = (user.c.name == name, user.c.password_hash == kept)
        return bool(conn.execute(update(user).where(*same).values(**values)).rowcount)


def _enter(conn: Connection, name: str, now: int) -> str | None:
    """Count a try as wrong: the hash to judge it by, None for a stranger, or Locked."""
    # On PostgreSQL the row stays locked until the count is written; SQLite has one writer at a time.
    found = conn.execute(select(user).where(user.c.name == name).with_for_update()).one_or_none()
    if found is None:
        return None
    # A wait far in the future comes from a clock that was wrong: never lock longer than the longest wait.
    waiting = min(found.wait_until - now, WAIT_MAX_MS)
    if waiting > 0:
        seconds = -(-waiting // 1000)
        raise Locked(f"Too many wrong passwords. Try again in {seconds} seconds.", seconds=seconds)
    failures = found.failures + 1
    over = failures - FREE_TRIES
    wait = 0 if over < 0 else min(WAIT_MAX_MS, WAIT_MS * 2 ** min(over, 20))
    counted = update(user).where(user.c.name == name)
    conn.execute(counted.values(failures=failures, wait_until=now + wait if wait else 0))
    kept: str = found.password_hash
    return kept


def names(conn: Connection) -> list[str]:
    """Everybody's name."""
    return list(conn.scalars(select(user.c.name).order_by(user.c.name)))


def _hash(password: str) -> str:
    if len(password) < PASSWORD_MIN:
        raise Refused(f"A password needs at least {PASSWORD_MIN} letters.")
    hashed: str = _hasher().hash(password)
    return hashed


def _matches(kept: str, password: str) -> bool:
    from argon2.exceptions import VerifyMismatchError

    try:
        _hasher().verify(kept, password)
    except VerifyMismatchError:
        return False
    return True


@lru_cache(maxsize=1)
def _hasher() -> Any:
    from argon2 import PasswordHasher

    return PasswordHasher()  # argon2id with the library's present defaults
