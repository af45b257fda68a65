"""Codes on paper, and the payments that their bank has signed."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "sbp_0001"
down_revision = None
branch_labels = ("sbp",)
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "static_code",
        sa.Column("shop", sa.Text, primary_key=True),
        sa.Column("order_id", sa.Text, primary_key=True),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("qr_id", sa.Text, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("shop", "contract", name="uq_static_code_contract"),
    )
    op.create_table(
        "signed_payment",
        sa.Column("shop", sa.Text, primary_key=True),
        sa.Column("transaction_id", sa.Text, primary_key=True),
        sa.Column("order_id", sa.Text, nullable=False),
        sa.Column("qr_id", sa.Text, nullable=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("currency", sa.Text, nullable=False),
        sa.Column("paid_at", _MOMENT, nullable=False),
        sa.Column("contract", sa.Text),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.UniqueConstraint(
            "shop", "order_id", "amount_kopecks", "paid_at", name="uq_signed_payment"
        ),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("signed_payment")
    op.drop_table("static_code")
