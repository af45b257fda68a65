"""Rows of registers about codes on paper."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "sbp_0003"
down_revision = "sbp_0002"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "paper_row",
        sa.Column("shop", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("qr_id", sa.Text, nullable=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("minute", _MOMENT, nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("fee_kopecks", sa.BigInteger),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("transaction_id", sa.Text),
        sa.Column("contract", sa.Text),
        sa.Column("due_at", _MOMENT),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("shop", "transaction_id", name="uq_paper_row_transaction"),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_paper_row_due", "paper_row", ["due_at"], postgresql_where=due, sqlite_where=due
    )
    key = ["shop", "order_id", "amount_kopecks", "minute"]
    op.create_index("ix_paper_row_key", "paper_row", key)
    op.create_index("ix_paper_row_code", "paper_row", ["shop", "qr_id", "minute"])
    op.create_index("ix_signed_payment_code", "signed_payment", ["shop", "qr_id", "paid_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_signed_payment_code", "signed_payment")
    op.drop_table("paper_row")
