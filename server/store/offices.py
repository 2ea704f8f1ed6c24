"""Offices that may open what stations seal: only their public keys are here."""

from sqlalchemy import Connection, select

from server.store import stations
from server.store.schema import office
from server.store.upsert import put


def add(conn: Connection, office_id: str, public_key: str, now: int) -> None:
    """Add an office, or give it a new key. `public_key` is base64 of an X25519 key."""
    put(conn, office, id=office_id, public_key=public_key, added_at=now)
    for each in stations.every(conn):
        stations.publish(conn, each.id)


def public_keys(conn: Connection) -> dict[str, str]:
    """Office id to base64 public key."""
    return {name: key for name, key in conn.execute(select(office.c.id, office.c.public_key))}
