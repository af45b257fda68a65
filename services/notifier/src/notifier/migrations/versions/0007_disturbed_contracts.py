"""Create the index by which the limits of a contract look at its last day alone."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TRIED = sa.text("tried_at IS NOT NULL")


def upgrade() -> None:
    """Apply."""
    op.create_index(
        "ix_message_disturbed",
        "message",
        ["contract", "channel", "tried_at"],
        postgresql_where=_TRIED,
        sqlite_where=_TRIED,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_message_disturbed", "message")
