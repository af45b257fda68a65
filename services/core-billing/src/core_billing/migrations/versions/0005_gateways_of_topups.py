"""Which gateway takes a top-up: the one of cards, or that of SBP."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; pods of the version before lead to the gateway of cards."""
    gateway = sa.Column("gateway", sa.Text, nullable=False, server_default="gateway-yookassa")
    op.add_column("topup", gateway)


def downgrade() -> None:
    """Undo."""
    op.drop_column("topup", "gateway")
