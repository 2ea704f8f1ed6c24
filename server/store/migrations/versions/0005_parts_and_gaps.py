"""Which runs wrote what is stored, what is known to be missing, and how far back raw events reach."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "part",
        sa.Column("stream", sa.Integer(), nullable=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("run", sa.String(length=64), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["stream"], ["stream.id"], name=op.f("fk_part_stream_stream")),
        sa.PrimaryKeyConstraint("stream", "first", name=op.f("pk_part")),
    )
    op.create_table(
        "gap",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("station", sa.String(length=31), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("until", sa.BigInteger(), nullable=True),
        sa.Column("why", sa.String(length=16), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["station"], ["station.id"], name=op.f("fk_gap_station_station")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap")),
    )
    with op.batch_alter_table("gap", schema=None) as batch_op:
        batch_op.create_index("ix_gap_station", ["station"], unique=False)
    op.create_table(
        "horizon",
        sa.Column("what", sa.String(length=32), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("what", name=op.f("pk_horizon")),
    )
    with op.batch_alter_table("down_message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("run", sa.String(length=64), nullable=False, server_default=""))
    with op.batch_alter_table("down_message", schema=None) as batch_op:
        batch_op.alter_column("run", existing_type=sa.String(length=64), server_default=None)
    with op.batch_alter_table("stream", schema=None) as batch_op:
        batch_op.add_column(sa.Column("heard_at", sa.BigInteger(), nullable=False, server_default="0"))
    with op.batch_alter_table("stream", schema=None) as batch_op:
        batch_op.alter_column("heard_at", existing_type=sa.BigInteger(), server_default=None)
    op.execute(sa.text("UPDATE stream SET heard_at = last_at"))
