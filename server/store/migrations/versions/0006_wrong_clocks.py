"""Messages whose clock was wrong are found without a look at all others."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    wrong = sa.text("clock <> 'ok'")
    op.create_index(
        "ix_message_clock",
        "message",
        ["stream", "received_at"],
        sqlite_where=wrong,
        postgresql_where=wrong,
    )
