"""Keep what a manager writes beside a payment."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "desk",
        sa.Column("payment_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("receipt_number", sa.Text),
        sa.Column("payment_order_number", sa.Text),
        sa.Column("comment", sa.Text, nullable=False),
        sa.Column("manager", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.UniqueConstraint("receipt_number", name="uq_desk_receipt_number"),
    )
    ordered = sa.text("payment_order_number IS NOT NULL")
    op.create_index(
        "ix_desk_payment_order_number",
        "desk",
        ["payment_order_number"],
        postgresql_where=ordered,
        sqlite_where=ordered,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("desk")
