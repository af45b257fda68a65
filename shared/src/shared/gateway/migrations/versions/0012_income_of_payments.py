"""Keep what of a payment reaches the bank account, as the provider says it."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; pods of the version before leave it empty."""
    op.add_column("payment", sa.Column("income_kopecks", sa.BigInteger))


def downgrade() -> None:
    """Undo."""
    op.drop_column("payment", "income_kopecks")
