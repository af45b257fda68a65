"""Keep who has corrected a payment, and why; and when terms were changed."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "revision",
        sa.Column("payment_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("manager", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
    )
    op.add_column("terms", sa.Column("changed_at", _MOMENT))
    op.add_column("terms", sa.Column("signed_on", sa.Date))


def downgrade() -> None:
    """Undo."""
    op.drop_column("terms", "signed_on")
    op.drop_column("terms", "changed_at")
    op.drop_table("revision")
