"""The tables of headquarters, for SQLite and PostgreSQL alike.

All times are ms since 1970 UTC unless a column says otherwise; JSON is kept as text, as it came.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# -- who and where ---------------------------------------------------------------------------------------

station = Table(
    "station",
    metadata,
    Column("id", String(31), primary_key=True),
    Column("number", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("hours", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("facilities", Text, nullable=False),  # JSON list
    Column("added_at", BigInteger, nullable=False),
    Column("claim_hash", String(64), unique=True),
    Column("claim_expires", BigInteger),
    Column("claimed_at", BigInteger),
    Column("revoked_at", BigInteger),
    Column("token_hash", String(64)),
    Column("mqtt_bcrypt", Text),  # for NATS
    Column("mqtt_pbkdf2", Text),  # for Mosquitto
)

#: What the broker last said of a station; `counter` rises with each connection, so that an old will is known.
presence = Table(
    "presence",
    metadata,
    Column("station", ForeignKey("station.id"), primary_key=True),
    Column("online", Boolean, nullable=False),
    Column("counter", BigInteger, nullable=False),
    Column("boot", String(64), nullable=False),
    Column("seen_at", BigInteger, nullable=False),
)

office = Table(
    "office",
    metadata,
    Column("id", String(31), primary_key=True),
    Column("public_key", Text, nullable=False),  # base64 X25519; the private one never comes here
    Column("added_at", BigInteger, nullable=False),
)

user = Table(
    "user_account",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("password_hash", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("wait_until", BigInteger, nullable=False),
)

session = Table(
    "web_session",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("user", ForeignKey("user_account.name"), nullable=False),
    Column("kind", String(8), nullable=False),  # cookie | api
    Column("opened_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("before", Text, nullable=False),  # JSON
    Column("after", Text, nullable=False),  # JSON
)

#: Counters that other processes watch: "stations", "content"; and "pulse", which tries whether writing works.
change = Table(
    "change",
    metadata,
    Column("topic", String(32), primary_key=True),
    Column("n", BigInteger, nullable=False),
)

#: Keys that belong to the data, and so are in its backups.
secret_key = Table(
    "secret_key",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# -- the stream up ---------------------------------------------------------------------------------------

#: One stream of one station; `upto` is the last number stored, advanced by compare-and-set.
stream = Table(
    "stream",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", ForeignKey("station.id"), nullable=False),
    Column("name", String(64), nullable=False),
    Column("upto", BigInteger, nullable=False),
    Column("boot", String(64), nullable=False),
    Column("first_at", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),  # of its messages, the latest
    Column("heard_at", BigInteger, nullable=False),  # when its latest message arrived
    UniqueConstraint("station", "name"),
)

#: From number `first` on, up to the next part, a stream was written by this run of the station's program.
part = Table(
    "part",
    metadata,
    Column("stream", ForeignKey("stream.id"), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("run", String(64), nullable=False),  # empty: of a release that does not name its runs
    Column("boot", String(64), nullable=False),
    Column("at", BigInteger, nullable=False),  # when its first message arrived
    PrimaryKeyConstraint("stream", "first"),
)

#: Everything a station said, as it came, in the order of arrival: appending costs the least, and the oldest
#: rows expire from the front. That no number comes twice is the cursor's doing, in the same transaction.
message = Table(
    "message",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("stream", Integer, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("kind", String(12), nullable=False),  # event request heartbeat fault unknown
    Column("valid", Boolean, nullable=False),  # False: not in the manifest, or unreadable; in no rollup
    Column("at", BigInteger, nullable=False),  # corrected
    Column("clock", String(9), nullable=False),  # ok corrected unsure
    Column("received_at", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    # Requests are rare; when a sealed contact must go, its message is found without a look at all others.
    Index(
        "ix_message_request",
        "stream",
        "received_at",
        sqlite_where=text("kind = 'request'"),
        postgresql_where=text("kind = 'request'"),
    ),
    # Nor need those whose clock was wrong be sought among all that came on a day.
    Index(
        "ix_message_clock",
        "stream",
        "received_at",
        sqlite_where=text("clock <> 'ok'"),
        postgresql_where=text("clock <> 'ok'"),
    ),
)

lost = Table(
    "lost",
    metadata,
    Column("stream", ForeignKey("stream.id"), nullable=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    PrimaryKeyConstraint("stream", "first"),
)

#: What happened at a station from `since` to `until` may never arrive, or not be what it seems.
gap = Table(
    "gap",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", ForeignKey("station.id"), nullable=False, index=True),
    Column("since", BigInteger, nullable=False),
    Column("until", BigInteger),  # NULL: it lasts
    Column("why", String(16), nullable=False),
    Column("n", BigInteger, nullable=False),  # messages; 0: nobody knows
    Column("at", BigInteger, nullable=False),  # when headquarters learnt of it
)

rollup = Table(
    "rollup",
    metadata,
    Column("hour", BigInteger, nullable=False),  # start of the UTC hour
    Column("station", String(31), nullable=False),
    Column("plugin", String(31), nullable=False),
    Column("event", String(64), nullable=False),
    Column("dims", Text, nullable=False),  # JSON of the choice and flag fields, keys sorted
    Column("n", BigInteger, nullable=False),
    PrimaryKeyConstraint("hour", "station", "plugin", "event", "dims"),
    sqlite_with_rowid=False,
)

#: Up to `complete_to` everything that happened at the station has arrived.
watermark = Table(
    "watermark",
    metadata,
    Column("station", ForeignKey("station.id"), primary_key=True),
    Column("complete_to", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False),
    Column("version", Text, nullable=False),
    Column("health", Text, nullable=False),  # JSON
)

fault = Table(
    "fault",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("station", ForeignKey("station.id"), nullable=False),
    Column("at", BigInteger, nullable=False, index=True),
    Column("plugin", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("place", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("trace", Text, nullable=False),  # JSON list
)

#: What was turned away, counted by reason; `station` is empty when it is not known.
refusal = Table(
    "refusal",
    metadata,
    Column("reason", String(32), nullable=False),
    Column("station", String(64), nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("last_at", BigInteger, nullable=False),
    Column("sample", LargeBinary, nullable=False),
    Column("problem", Text, nullable=False),
    PrimaryKeyConstraint("reason", "station"),
)

#: Of what expires: nothing that arrived at this time or later is gone. No row: nothing ever expired.
horizon = Table(
    "horizon",
    metadata,
    Column("what", String(32), primary_key=True),
    Column("at", BigInteger, nullable=False),
)

# -- requests and their answers --------------------------------------------------------------------------

request = Table(
    "request",
    metadata,
    Column("station", ForeignKey("station.id"), nullable=False),
    Column("id", String(64), nullable=False),
    Column("plugin", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("service", Text, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("received_at", BigInteger, nullable=False, index=True),
    Column("d", Text, nullable=False),  # JSON; sealed fields stay sealed
    Column("holds_sealed", Boolean, nullable=False),  # until they are made empty
    Column("status", Text),  # NULL: nobody has answered yet
    Column("answer", Text),  # JSON
    Column("tries", Integer, nullable=False),  # of its service, the first one included
    PrimaryKeyConstraint("station", "id"),
    Index(
        "ix_request_waiting",
        "received_at",
        sqlite_where=text("status IS NULL"),
        postgresql_where=text("status IS NULL"),
    ),
    Index(
        "ix_request_sealed",
        "station",
        sqlite_where=text("holds_sealed = 1"),
        postgresql_where=text("holds_sealed"),
    ),
)

booking = Table(
    "booking",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("collection", String(64), nullable=False),
    Column("slot", String(64), nullable=False),
    Column("starts_at", BigInteger, nullable=False),
    Column("code", String(5), nullable=False),
    Column("station", ForeignKey("station.id"), nullable=False),
    Column("request", String(64), nullable=False),
    Column("matter", Text, nullable=False),
    Column("contact", Text, nullable=False),  # sealed to the office; empty without one and after the end
    Column("office", Text, nullable=False),
    Column("state", String(9), nullable=False),  # open done cancelled
    Column("placed_at", BigInteger, nullable=False, index=True),
    Column("details", Text, nullable=False),  # JSON: the slot as it was when it was booked
    # One open booking a slot, and one a code: the database itself makes a double booking impossible.
    Index(
        "uq_booking_slot",
        "collection",
        "slot",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "uq_booking_code",
        "code",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

#: The rota as it was imported, to make the slots of the coming days from.
rota = Table(
    "rota",
    metadata,
    Column("collection", String(64), primary_key=True),
    Column("body", Text, nullable=False),  # TOML
    Column("imported_at", BigInteger, nullable=False),
)

# -- the stream down -------------------------------------------------------------------------------------

down_stream = Table(
    "down_stream",
    metadata,
    Column("station", ForeignKey("station.id"), primary_key=True),
    Column("name", String(64), nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("acked", BigInteger, nullable=False),
)

down_message = Table(
    "down_message",
    metadata,
    Column("station", ForeignKey("station.id"), nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("body", Text, nullable=False),
    Column("stored_at", BigInteger, nullable=False),
    Column("run", String(64), nullable=False),  # of the collector that said it
    PrimaryKeyConstraint("station", "number"),
    sqlite_with_rowid=False,
)

# -- content ---------------------------------------------------------------------------------------------

collection = Table(
    "collection",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("poked", BigInteger, nullable=False),  # stations have been told of changes up to here
    Column("pruned", BigInteger, nullable=False),  # up to here tombstones may be missing
)

#: `scope` is empty for every station, or the one station that alone sees the row. Every change of a row
#: has a revision of its own, so that a page of changes can end anywhere.
content = Table(
    "content",
    metadata,
    Column("collection", String(64), nullable=False),
    Column("scope", String(31), nullable=False),
    Column("key", String(64), nullable=False),
    Column("body", Text, nullable=False),  # JSON, with the key field
    Column("revision", BigInteger, nullable=False),
    Column("deleted", Boolean, nullable=False),
    Column("deleted_at", BigInteger),
    PrimaryKeyConstraint("collection", "scope", "key"),
    Index("ix_content_revision", "collection", "revision"),
    Index(
        "ix_content_tombstone",
        "deleted_at",
        sqlite_where=text("deleted_at IS NOT NULL"),
        postgresql_where=text("deleted_at IS NOT NULL"),
    ),
)

#: A random id for each change of a collection, at the revision it led to. It tells a revision from one of the
#: same number in a history that a restored backup has cut off.
content_generation = Table(
    "content_generation",
    metadata,
    Column("collection", String(64), nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("generation", String(16), nullable=False),
    PrimaryKeyConstraint("collection", "revision"),
)

media = Table(
    "media",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("added_at", BigInteger, nullable=False),
)
