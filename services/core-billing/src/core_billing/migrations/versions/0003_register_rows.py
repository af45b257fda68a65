"""Create the table of register rows."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "register_row",
        sa.Column("provider_id", sa.Text, primary_key=True),
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("provider_payment_id", sa.Text, nullable=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("fee_kopecks", sa.BigInteger),
        sa.Column("fee_vat_kopecks", sa.BigInteger),
        sa.Column("net_kopecks", sa.BigInteger),
        sa.Column("difference", sa.Text),
        sa.Column("said_at", Instant(), nullable=False),
    )
    differs = sa.text("difference IS NOT NULL")
    op.create_index(
        "ix_register_row_difference",
        "register_row",
        ["provider", "day"],
        postgresql_where=differs,
        sqlite_where=differs,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("register_row")
