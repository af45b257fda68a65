"""Create what providers report of sent messages, and the columns that remember it."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_NAMED = sa.text("provider_id IS NOT NULL")


def upgrade() -> None:
    """Apply."""
    op.add_column("message", sa.Column("report", sa.Text))
    op.add_column("message", sa.Column("delivered_at", Instant))
    op.create_index(
        "ix_message_provider",
        "message",
        ["channel", "provider_id"],
        postgresql_where=_NAMED,
        sqlite_where=_NAMED,
    )
    op.create_table(
        "report",
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("provider_id", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("reported_at", Instant, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
    )
    op.create_index("ix_report_due", "report", ["due_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("report")
    op.drop_index("ix_message_provider", "message")
    op.drop_column("message", "delivered_at")
    op.drop_column("message", "report")
