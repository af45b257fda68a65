"""Keep when a provider first said that the payer had confirmed a payment."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; pods of the version before leave it empty."""
    op.add_column("payment", sa.Column("confirmed_at", Instant()))


def downgrade() -> None:
    """Undo."""
    op.drop_column("payment", "confirmed_at")
