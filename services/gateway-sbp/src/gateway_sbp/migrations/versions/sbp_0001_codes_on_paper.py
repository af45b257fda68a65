"""Codes on paper, sheets of them, and the payments that their bank has signed."""

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
    _sheets()


def _sheets() -> None:
    op.create_table(
        "sheet",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "sheet_line",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("sheet_id", sa.Uuid, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("payload", sa.Text),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("due_at", _MOMENT),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
        sa.UniqueConstraint("sheet_id", "position", name="uq_sheet_line_position"),
    )
    due = sa.text("due_at IS NOT NULL")
    op.create_index(
        "ix_sheet_line_due", "sheet_line", ["due_at"], postgresql_where=due, sqlite_where=due
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("sheet_line")
    op.drop_table("sheet")
    op.drop_table("signed_payment")
    op.drop_table("static_code")
