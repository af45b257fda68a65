"""Refunds as they were sent to T-Bank."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "sbp_0002"
down_revision = "sbp_0001"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "tbank_refund",
        sa.Column("shop", sa.Text, primary_key=True),
        sa.Column("refund_id", sa.Text, primary_key=True),
        sa.Column("provider_payment_id", sa.Text, nullable=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("baseline_kopecks", sa.BigInteger, nullable=False),
        sa.Column("baseline_status", sa.Text, nullable=False),
        sa.Column("sent_at", _MOMENT, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("answer", sa.Text, nullable=False, server_default=""),
        sa.Column("answered_at", _MOMENT),
    )
    payment = ["shop", "provider_payment_id"]
    unfinished = sa.text("state IN ('sent', 'taken', 'parked')")
    op.create_index(
        "uq_tbank_refund_open",
        "tbank_refund",
        payment,
        unique=True,
        postgresql_where=unfinished,
        sqlite_where=unfinished,
    )
    op.create_index("ix_tbank_refund_payment", "tbank_refund", [*payment, "sent_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("tbank_refund")
