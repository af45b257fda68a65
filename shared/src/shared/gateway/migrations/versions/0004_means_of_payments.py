"""Keep what a payer chose to pay with, and the code that they scan."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; pods of the version before leave the new columns empty."""
    op.add_column("payment", sa.Column("qr_payload", sa.Text))
    op.add_column("payment", sa.Column("means", sa.Text))


def downgrade() -> None:
    """Undo."""
    op.drop_column("payment", "means")
    op.drop_column("payment", "qr_payload")
