"""Which history a revision of a collection belongs to."""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    table = op.create_table(
        "content_generation",
        sa.Column("collection", sa.String(length=64), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("collection", "revision", name=op.f("pk_content_generation")),
    )
    there = op.get_bind().execute(sa.text("SELECT name, revision FROM collection WHERE revision > 0"))
    rows = [
        {"collection": name, "revision": n, "generation": secrets.token_hex(8)} for name, n in there.all()
    ]
    op.bulk_insert(table, rows)
