"""Keep tariffs and the services of contracts."""

import sqlalchemy as sa

from shared.db import Instant

revision = "0011"
down_revision = "0010"
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
