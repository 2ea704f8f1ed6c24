"""Codes from a key that backups hold; waiting requests count their tries; tombstones have an end."""

import secrets
import time

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    key = op.create_table(
        "secret_key",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("value", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_secret_key")),
    )
    assert key is not None
    op.bulk_insert(key, [{"name": "booking_code", "value": secrets.token_bytes(32)}])
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tries", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.alter_column("tries", existing_type=sa.Integer(), server_default=None)
        batch_op.create_index(
            "ix_request_waiting",
            ["received_at"],
            unique=False,
            sqlite_where=sa.text("status IS NULL"),
            postgresql_where=sa.text("status IS NULL"),
        )
    with op.batch_alter_table("collection", schema=None) as batch_op:
        batch_op.add_column(sa.Column("pruned", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("collection", schema=None) as batch_op:
        batch_op.alter_column("pruned", existing_type=sa.BigInteger(), server_default=None)
    with op.batch_alter_table("content", schema=None) as batch_op:
        batch_op.add_column(sa.Column("deleted_at", sa.BigInteger(), nullable=True))
        batch_op.create_index(
            "ix_content_tombstone",
            ["deleted_at"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NOT NULL"),
            postgresql_where=sa.text("deleted_at IS NOT NULL"),
        )
    deleted = sa.table(
        "content", sa.column("deleted", sa.Boolean()), sa.column("deleted_at", sa.BigInteger())
    )
    now = time.time_ns() // 1_000_000
    op.execute(deleted.update().where(deleted.c.deleted.is_(sa.true())).values(deleted_at=now))
