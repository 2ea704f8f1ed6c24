"""Stations: adding, claiming by a short-lived code, their credentials, their profile."""

import base64
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, insert, select, update

from protocol.topics import check_station
from server.errors import ClaimError, NotFound, Refused
from server.store import changes, content, down, gaps
from server.store.schema import office, presence, station

CODE_DIGITS: Final = 8
CODE_MS: Final = 24 * 3600 * 1000
PROFILE: Final = "station.profile"

#: Rounds for the broker's password hashes. They protect 256 random bits, which nobody guesses at any speed;
#: more rounds would only slow the broker down when all stations return at once.
BCRYPT_COST: Final = 4
PBKDF2_ROUNDS: Final = 101  # Mosquitto's own default


class Station(msgspec.Struct, frozen=True):
    """A station as headquarters knows it. Times in ms; `claimed_at` None until a screen has claimed it."""

    id: str
    number: str
    name: str
    hours: str
    phone: str
    facilities: list[str]
    added_at: int
    claimed_at: int | None
    revoked_at: int | None
    claim_expires: int | None
    online: bool = False
    seen_at: int | None = None

    @property
    def active(self) -> bool:
        """Claimed and not revoked: it may speak."""
        return self.claimed_at is not None and self.revoked_at is None


class Claimed(msgspec.Struct, frozen=True):
    """What a screen gets for its code, once; only hashes are kept here."""

    station: str
    token: str
    mqtt_password: str


def add(
    conn: Connection,
    station_id: str,
    *,
    name: str,
    now: int,
    number: str = "",
    hours: str = "",
    phone: str = "",
    facilities: Sequence[str] = (),
) -> str:
    """Add a station and return its claim code, eight digits. Refused if the id exists or breaks the rule."""
    check_station(station_id)
    if conn.scalar(select(station.c.id).where(station.c.id == station_id)):
        raise Refused(f"There is a station '{station_id}' already; choose another id.", station=station_id)
    conn.execute(
        insert(station).values(
            id=station_id,
            number=number,
            name=name,
            hours=hours,
            phone=phone,
            facilities=json.dumps(list(facilities), ensure_ascii=False),
            added_at=now,
        )
    )
    publish(conn, station_id)
    changes.bump(conn, "stations")
    return new_code(conn, station_id, now)


def new_code(conn: Connection, station_id: str, now: int) -> str:
    """A fresh claim code in place of any older one; a claimed station keeps its credentials until its use."""
    code = "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS))
    done = conn.execute(
        update(station)
        .where(station.c.id == station_id)
        .values(claim_hash=_code_hash(code), claim_expires=now + CODE_MS)
    )
    if not done.rowcount:
        raise NotFound(f"There is no station '{station_id}'.", station=station_id)
    return code


def claim(conn: Connection, code: str, now: int) -> Claimed:
    """Give the station of this code new credentials and burn the code; ClaimError if it opens nothing."""
    digits = "".join(letter for letter in code if letter.isdigit())
    found = conn.execute(
        select(station.c.id, station.c.claim_expires).where(station.c.claim_hash == _code_hash(digits))
    ).one_or_none()
    if found is None:
        raise ClaimError("claim.wrong", "This claim code is not known. Check the eight digits.")
    if found.claim_expires < now:
        raise ClaimError("claim.expired", "This claim code has expired. Ask headquarters for a new one.")
    token, password = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
    conn.execute(
        update(station)
        .where(station.c.id == found.id)
        .values(
            claim_hash=None,
            claim_expires=None,
            claimed_at=now,
            revoked_at=None,
            token_hash=_token_hash(token),
            mqtt_bcrypt=bcrypt_hash(password),
            mqtt_pbkdf2=pbkdf2_hash(password),
        )
    )
    down.begin(conn, found.id)
    gaps.close(conn, found.id, now)  # of two machines with one disk, one alone gets in from now on
    changes.bump(conn, "stations")
    return Claimed(found.id, token, password)


def verify(conn: Connection, station_id: str, token: str) -> bool:
    """Whether this is the token of a claimed station that is not revoked."""
    kept = conn.scalar(
        select(station.c.token_hash).where(station.c.id == station_id, station.c.revoked_at.is_(None))
    )
    return kept is not None and hmac.compare_digest(kept, _token_hash(token))


def revoke(conn: Connection, station_id: str, now: int) -> None:
    """Close the station out of the broker and the station API at once; what it said stays."""
    done = conn.execute(
        update(station)
        .where(station.c.id == station_id)
        .values(revoked_at=now, token_hash=None, mqtt_bcrypt=None, mqtt_pbkdf2=None, claim_hash=None)
    )
    if not done.rowcount:
        raise NotFound(f"There is no station '{station_id}'.", station=station_id)
    changes.bump(conn, "stations")


def get(conn: Connection, station_id: str) -> Station | None:
    """One station, or None."""
    found = conn.execute(_select().where(station.c.id == station_id)).one_or_none()
    return None if found is None else _read(found)


def every(conn: Connection) -> list[Station]:
    """All stations, by number and id."""
    return [_read(row) for row in conn.execute(_select().order_by(station.c.number, station.c.id))]


def active(conn: Connection) -> dict[str, tuple[str, str]]:
    """Stations that may speak, each with the bcrypt and the PBKDF2 hash of its broker password."""
    found = select(station.c.id, station.c.mqtt_bcrypt, station.c.mqtt_pbkdf2).where(
        station.c.claimed_at.is_not(None), station.c.revoked_at.is_(None)
    )
    return {row.id: (row.mqtt_bcrypt, row.mqtt_pbkdf2) for row in conn.execute(found)}


def publish(conn: Connection, station_id: str) -> None:
    """Write the station's own row of the collection `station.profile`; its key field is `station`."""
    each = get(conn, station_id)
    if each is None:
        return
    row: dict[str, Any] = {
        "station": each.id,
        "number": each.number,
        "name": each.name,
        "hours": each.hours,
        "manager_phone": each.phone,
        "facilities": each.facilities,
        "offices": {name: key for name, key in conn.execute(select(office.c.id, office.c.public_key))},
    }
    content.put(conn, PROFILE, "station", [row], scope=station_id)


def bcrypt_hash(password: str) -> str:
    """A hash that NATS reads."""
    import bcrypt

    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_COST, prefix=b"2a")).decode()


def pbkdf2_hash(password: str) -> str:
    """A hash that Mosquitto 2 reads: `$7$rounds$salt$hash`, PBKDF2 with SHA-512."""
    salt = os.urandom(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, PBKDF2_ROUNDS)
    return f"$7${PBKDF2_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _code_hash(code: str) -> str:
    # A plain hash can be searched through; but a code opens one station, once, within a day, and who reads
    # this table could as well write one. What matters is that no code stands in backups in clear.
    return hashlib.sha256(b"claim:" + code.encode()).hexdigest()


def _token_hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()  # 256 random bits need no slow hash


def _select() -> Any:
    columns = [station.c[name] for name in Station.__struct_fields__ if name in station.c]
    return select(*columns, presence.c.online, presence.c.seen_at).outerjoin(
        presence, presence.c.station == station.c.id
    )


def _read(row: Any) -> Station:
    return Station(
        row.id,
        row.number,
        row.name,
        row.hours,
        row.phone,
        json.loads(row.facilities),
        row.added_at,
        row.claimed_at,
        row.revoked_at,
        row.claim_expires,
        bool(row.online),
        row.seen_at,
    )
