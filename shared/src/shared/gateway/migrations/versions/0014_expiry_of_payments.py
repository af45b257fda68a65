"""Keep until when a payment can be made, as its provider says it."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; pods of the version before leave it empty."""
    op.add_column("payment", sa.Column("expires_at", Instant()))


def downgrade() -> None:
    """Undo."""
    op.drop_column("payment", "expires_at")
