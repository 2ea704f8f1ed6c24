"""Files that stations fetch, stored by the SHA-256 of their bytes."""

import hashlib
import os
import re
import secrets
from pathlib import Path
from typing import BinaryIO

import msgspec
from sqlalchemy import Connection, select

from server.store.schema import media
from server.store.upsert import put as upsert_one


class Media(msgspec.Struct, frozen=True):
    """One file: `size` in bytes, `type` as in HTTP, `name` as it was handed in."""

    sha256: str
    size: int
    type: str
    name: str


def path(folder: Path, sha256: str) -> Path:
    """Where the file of this hash lies."""
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ValueError("not a SHA-256 in hex")
    return folder / sha256[:2] / sha256


def keep(folder: Path, source: BinaryIO, name: str, kind: str) -> Media:
    """Copy a file into the folder: aside, hashed and synced, then in place under its hash.

    Stations see it once it is recorded in the database.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".aside-{secrets.token_hex(8)}"
    digest, size = hashlib.sha256(), 0
    try:
        with aside.open("xb") as target:
            while chunk := source.read(1 << 20):
                digest.update(chunk)
                size += len(chunk)
                target.write(chunk)
            target.flush()
            os.fsync(target.fileno())
        found = Media(digest.hexdigest(), size, kind, name)
        final = path(folder, found.sha256)
        final.parent.mkdir(exist_ok=True)
        aside.replace(final)
    finally:
        aside.unlink(missing_ok=True)
    return found


def record(conn: Connection, found: Media, now: int) -> None:
    """Let stations have a file that is in the folder."""
    upsert_one(
        conn, media, sha256=found.sha256, size=found.size, type=found.type, name=found.name, added_at=now
    )


def get(conn: Connection, sha256: str) -> Media | None:
    """What is known of a file, or None."""
    found = conn.execute(
        select(media.c.sha256, media.c.size, media.c.type, media.c.name).where(media.c.sha256 == sha256)
    ).one_or_none()
    return None if found is None else Media(*found)
