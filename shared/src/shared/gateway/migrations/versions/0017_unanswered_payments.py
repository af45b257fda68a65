"""Keep since when looks at a payment have failed: signs of life say how old that is."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_UNANSWERED = sa.text("unanswered_since IS NOT NULL")


def upgrade() -> None:
    """Apply; pods of the version before leave it empty."""
    op.add_column("payment", sa.Column("unanswered_since", Instant()))
    op.create_index(
        "ix_payment_unanswered",
        "payment",
        ["unanswered_since"],
        postgresql_where=_UNANSWERED,
        sqlite_where=_UNANSWERED,
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("ix_payment_unanswered", "payment")
    op.drop_column("payment", "unanswered_since")
