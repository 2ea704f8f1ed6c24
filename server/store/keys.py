"""Secret keys that belong to the data: they are in every backup, and a restored database goes on alike."""

from typing import Literal

from sqlalchemy import Connection, select

from server.store.schema import secret_key

Name = Literal["booking_code"]


def get(conn: Connection, name: Name) -> bytes:
    """The key of this name, 32 bytes; migrations make it."""
    value: bytes = conn.execute(select(secret_key.c.value).where(secret_key.c.name == name)).scalar_one()
    return value
