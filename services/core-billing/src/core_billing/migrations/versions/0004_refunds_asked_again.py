"""Ask for a refund again until a gateway has answered; those under way are due at once."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.add_column("refund", sa.Column("correlation_id", sa.Text))
    op.add_column("refund", sa.Column("say_at", Instant()))
    op.add_column("refund", sa.Column("says", sa.Integer, nullable=False, server_default="1"))
    op.execute(
        "UPDATE refund SET say_at = requested_at"
        " WHERE requested_at IS NOT NULL AND failed_at IS NULL AND succeeded_at IS NULL"
    )
    unanswered = sa.text("say_at IS NOT NULL")
    op.create_index(
        "ix_refund_say_at",
        "refund",
        ["say_at"],
        postgresql_where=unanswered,
        sqlite_where=unanswered,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_refund_say_at", "refund")
    for name in ("says", "say_at", "correlation_id"):
        op.drop_column("refund", name)
