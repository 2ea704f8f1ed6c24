"""Collections that headquarters fills and stations replicate: rows with revisions, deletes as tombstones."""

import json
import secrets
import time
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, delete, func, insert, select, update

from server.store import changes
from server.store.schema import collection as collections
from server.store.schema import content
from server.store.schema import content_generation as generations
from server.store.upsert import upsert

PAGE: Final = 1000
TOMBSTONE_MS: Final = 30 * 24 * 3600 * 1000
_BELOW: Final = "p"  # no hexadecimal digit, and so in no generation
_KEYS: Final = 500  # looked up at a time: databases limit the parameters of a statement
KEPT: Final = 100_000  # revisions back; who has been away for longer begins from nothing

Row = dict[str, Any]


class Changed(msgspec.Struct, frozen=True):
    """How many rows an order added, changed, left as they were and deleted."""

    added: int = 0
    changed: int = 0
    same: int = 0
    deleted: int = 0


class Page(msgspec.Struct, frozen=True):
    """Changes after a revision. With `more`, ask again from `revision`; with `reset`, first forget all.

    `generation` is to be named with `revision` when asking on: it says whose revision it is.
    """

    revision: int
    upserts: list[Row]
    deletes: list[str]
    more: bool
    reset: bool = False
    generation: str = ""


def put(
    conn: Connection, collection: str, key: str, rows: Iterable[Mapping[str, Any]], scope: str = ""
) -> Changed:
    """Add or replace rows by their field `key`. Rows that are the same already keep their revision."""
    rows = list(rows)
    revision = first = _lock(conn, collection)
    old = _bodies(conn, collection, scope, {str(row[key]) for row in rows})
    added = same = 0
    new: dict[str, dict[str, Any]] = {}
    for row in rows:
        name, body = str(row[key]), _canonical(row)
        if old.get(name) == body:
            same += 1
            continue
        added += name not in old and name not in new
        revision += 1
        new[name] = {
            "collection": collection,
            "scope": scope,
            "key": name,
            "body": body,
            "revision": revision,
            "deleted": False,
            "deleted_at": None,
        }
    if new:
        conn.execute(upsert(conn, content), list(new.values()))
        _advance(conn, collection, revision)
    return Changed(added, revision - first - added, same)


def remove(
    conn: Connection, collection: str, keys: Iterable[str], scope: str = "", now: int | None = None
) -> int:
    """Delete rows, leaving tombstones of this time (ms; by default the clock's); how many were there."""
    wanted = dict.fromkeys(keys)
    there = _bodies(conn, collection, scope, wanted)
    gone = [key for key in wanted if key in there]
    if not gone:
        return 0
    deleted_at = time.time_ns() // 1_000_000 if now is None else now
    revision = _lock(conn, collection)
    for key in gone:
        revision += 1
        conn.execute(
            update(content)
            .where(content.c.collection == collection, content.c.scope == scope, content.c.key == key)
            .values(body="{}", revision=revision, deleted=True, deleted_at=deleted_at)
        )
    _advance(conn, collection, revision)
    return len(gone)


def since(
    conn: Connection, collection: str, revision: int, station: str, limit: int = PAGE, generation: str = ""
) -> Page:
    """What a station must change to come from `revision` to the present, at most `limit` rows of it.

    A revision of another generation, as after a restore, is answered with everything; so is one that this
    database has not reached yet, or whose tombstones are partly gone. Whoever begins from nothing misses no
    tombstone that is gone already: the generation of an unfinished page then also says up to where.
    """
    current, pruned = revision_of(conn, collection), _pruned(conn, collection)
    named, _, nothing_below = generation.partition(_BELOW)
    foreign = revision > 0 and named not in ("", generation_of(conn, collection, revision))
    stale = 0 < revision < pruned and nothing_below != str(pruned)
    reset = foreign or stale or revision > current
    start = 0 if reset else revision
    if stale and not named:
        limit = current  # who names no generation cannot ask on: everything at once
    found = conn.execute(
        select(content.c.key, content.c.body, content.c.revision, content.c.deleted)
        .where(
            content.c.collection == collection,
            content.c.revision > start,
            content.c.scope.in_(["", station]),
            # Who starts from nothing has nothing to delete.
            *([] if start else [content.c.deleted.is_(False)]),
        )
        .order_by(content.c.revision)
        .limit(limit + 1)
    ).all()
    more = len(found) > limit
    found = found[:limit]
    reached = found[-1].revision if more else current
    return Page(
        revision=reached,
        upserts=[json.loads(row.body) for row in found if not row.deleted],
        deletes=[row.key for row in found if row.deleted],
        more=more,
        reset=reset,
        generation=generation_of(conn, collection, reached)
        + (f"{_BELOW}{pruned}" if reached < pruned else ""),
    )


def prune(conn: Connection, now: int) -> int:
    """Let go of tombstones older than 30 days; how many. Who was away for longer begins from nothing."""
    old = (content.c.deleted_at.is_not(None), content.c.deleted_at < now - TOMBSTONE_MS)
    upto = select(content.c.collection, func.max(content.c.revision)).where(*old)
    for name, revision in conn.execute(upto.group_by(content.c.collection)).all():
        here = (collections.c.name == name, collections.c.pruned < revision)
        conn.execute(update(collections).where(*here).values(pruned=revision))
    return conn.execute(delete(content).where(*old)).rowcount


def rows(conn: Connection, collection: str, scope: str = "") -> list[Row]:
    """All rows of a scope, by key."""
    return [body for _, body in sorted(keyed(conn, collection, scope).items())]


def keyed(conn: Connection, collection: str, scope: str = "") -> dict[str, Row]:
    """All rows of a scope by their key."""
    return {key: json.loads(body) for key, body in _bodies(conn, collection, scope).items()}


def row(conn: Connection, collection: str, key: str, scope: str = "") -> Row | None:
    """One row, or None."""
    body = conn.scalar(
        select(content.c.body).where(
            content.c.collection == collection,
            content.c.scope == scope,
            content.c.key == key,
            content.c.deleted.is_(False),
        )
    )
    return None if body is None else json.loads(body)


def revision_of(conn: Connection, collection: str) -> int:
    """The collection's revision; 0 if it has never had a row."""
    found = select(collections.c.revision).where(collections.c.name == collection)
    return conn.scalar(found) or 0


def generation_of(conn: Connection, collection: str, revision: int) -> str:
    """The id of the change that this revision is of; empty if there is none."""
    made = select(generations.c.generation).where(
        generations.c.collection == collection, generations.c.revision >= revision
    )
    return conn.scalar(made.order_by(generations.c.revision).limit(1)) or ""


def prune_generations(conn: Connection) -> None:
    """Forget the generations of revisions that are long past."""
    for name, revision in revisions(conn).items():
        old = (generations.c.collection == name, generations.c.revision < revision - KEPT)
        conn.execute(delete(generations).where(*old))


def revisions(conn: Connection) -> dict[str, int]:
    """Every collection with its revision."""
    return {name: n for name, n in conn.execute(select(collections.c.name, collections.c.revision))}


def counts(conn: Connection) -> dict[str, int]:
    """How many rows each collection has, over all scopes."""
    found = (
        select(content.c.collection, func.count())
        .where(content.c.deleted.is_(False))
        .group_by(content.c.collection)
    )
    return {name: n for name, n in conn.execute(found)}


def unannounced(conn: Connection) -> dict[str, set[str]]:
    """Collections that changed since `announced`, each with the scopes that did ("" for all stations)."""
    changed = (
        select(content.c.collection, content.c.scope)
        .join(collections, collections.c.name == content.c.collection)
        .where(content.c.revision > collections.c.poked)
        .distinct()
    )
    found: dict[str, set[str]] = {}
    for name, scope in conn.execute(changed):
        found.setdefault(name, set()).add(scope)
    return found


def announced(conn: Connection) -> None:
    """Stations have been told, in the same transaction, of everything there is now."""
    conn.execute(update(collections).values(poked=collections.c.revision))


def _canonical(row: Mapping[str, Any]) -> str:
    return json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _bodies(
    conn: Connection, collection: str, scope: str, keys: Collection[str] | None = None
) -> dict[str, str]:
    """The rows of a scope, or those of them that have these keys."""
    found = select(content.c.key, content.c.body).where(
        content.c.collection == collection, content.c.scope == scope, content.c.deleted.is_(False)
    )
    if keys is None:
        return {key: body for key, body in conn.execute(found)}
    each, bodies = list(keys), dict[str, str]()
    for n in range(0, len(each), _KEYS):
        chosen = found.where(content.c.key.in_(each[n : n + _KEYS]))
        bodies |= {key: body for key, body in conn.execute(chosen)}
    return bodies


def _pruned(conn: Connection, collection: str) -> int:
    return conn.scalar(select(collections.c.pruned).where(collections.c.name == collection)) or 0


def _lock(conn: Connection, collection: str) -> int:
    """The present revision; the row stays locked until the transaction ends, so that numbers never cross."""
    found = select(collections.c.revision).where(collections.c.name == collection).with_for_update()
    revision = conn.scalar(found)
    if revision is None:
        conn.execute(insert(collections).values(name=collection, revision=0, poked=0, pruned=0))
        revision = conn.scalar(found)
    return int(revision or 0)


def _advance(conn: Connection, collection: str, revision: int) -> None:
    conn.execute(update(collections).where(collections.c.name == collection).values(revision=revision))
    made = {"collection": collection, "revision": revision, "generation": secrets.token_hex(8)}
    conn.execute(insert(generations).values(**made))
    changes.bump(conn, "content")
