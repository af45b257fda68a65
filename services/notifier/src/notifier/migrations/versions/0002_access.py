"""Create the states of access that the operator's controller is told, and what it has answered."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_OWED = sa.text("due_at IS NOT NULL")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "access_state",
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("blocked", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("balance_kopecks", sa.BigInteger, nullable=False),
        sa.Column("available_kopecks", sa.BigInteger, nullable=False),
        sa.Column("occurred_at", Instant, nullable=False),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("delivered_revision", sa.BigInteger),
        sa.Column("delivered_at", Instant),
        sa.Column("due_at", Instant),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("failing_since", Instant),
        sa.Column("alarmed", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("last_status", sa.Integer),
        sa.Column("last_error", sa.Text),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", Instant),
    )
    op.create_index(
        "ix_access_state_owed",
        "access_state",
        ["attempts", "blocked", "due_at"],
        postgresql_where=_OWED,
        sqlite_where=_OWED,
    )
    op.create_table(
        "access_receiver",
        sa.Column("address", sa.Text, primary_key=True),
        sa.Column("gone_at", Instant),
        sa.Column("held_until", Instant),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("access_receiver")
    op.drop_table("access_state")
