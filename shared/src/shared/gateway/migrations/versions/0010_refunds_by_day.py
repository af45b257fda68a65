"""Find the refunds of a day without reading all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    back = sa.text("refunded_at IS NOT NULL")
    op.create_index(
        "ix_refund_back",
        "refund",
        ["shop", "refunded_at"],
        postgresql_where=back,
        sqlite_where=back,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_refund_back", "refund")
