"""Create the table of refunds."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "refund",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("provider", sa.Text, nullable=False),
        sa.Column("provider_payment_id", sa.Text, nullable=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("refund_id", sa.Text),
        sa.Column("provider_refund_id", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("requested_at", Instant()),
        sa.Column("failed_at", Instant()),
        sa.Column("succeeded_at", Instant()),
        sa.UniqueConstraint("refund_id", name="uq_refund_refund_id"),
        sa.UniqueConstraint(
            "provider_refund_id", "provider", name="uq_refund_provider_refund_id_provider"
        ),
    )
    op.create_index("ix_refund_provider_payment_id", "refund", ["provider_payment_id"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("refund")
