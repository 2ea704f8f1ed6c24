"""Contacts of bookings that are over go, and are found by an index from now on."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    with op.batch_alter_table("request", schema=None) as batch_op:
        # True for the rows that are there: the next night looks at each of them once.
        batch_op.add_column(sa.Column("holds_sealed", sa.Boolean(), nullable=False, server_default=sa.true()))
    with op.batch_alter_table("request", schema=None) as batch_op:
        batch_op.alter_column("holds_sealed", existing_type=sa.Boolean(), server_default=None)
        batch_op.create_index(
            "ix_request_sealed",
            ["station"],
            unique=False,
            sqlite_where=sa.text("holds_sealed = 1"),
            postgresql_where=sa.text("holds_sealed"),
        )
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.create_index(
            "ix_message_request",
            ["stream", "received_at"],
            unique=False,
            sqlite_where=sa.text("kind = 'request'"),
            postgresql_where=sa.text("kind = 'request'"),
        )
    op.execute("UPDATE booking SET contact = '' WHERE state <> 'open'")
