"""Keep who has corrected a payment, and why."""

import sqlalchemy as sa

from shared.db import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_MOMENT = Instant()
_BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply."""
    # filled by the owner


def downgrade() -> None:
    """Undo."""
    # filled by the owner
