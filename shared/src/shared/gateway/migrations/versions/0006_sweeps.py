"""Keep how far each sweep over the provider's lists went."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    counts = ("listed", "matched", "unreadable", "differences")
    op.create_table(
        "sweep",
        sa.Column("shop", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("cursor", sa.Text),
        *(sa.Column(name, sa.Integer, nullable=False, server_default="0") for name in counts),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("started_at", _MOMENT, nullable=False),
        sa.Column("finished_at", _MOMENT),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("sweep")
