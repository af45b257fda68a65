"""What a subscriber agreed to who had a top-up save their card: the text's version, the address."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; orders of pods of the version before save nothing."""
    op.add_column("topup", sa.Column("agreed_version", sa.Text))
    op.add_column("topup", sa.Column("agreed_address", sa.Text))


def downgrade() -> None:
    """Undo."""
    op.drop_column("topup", "agreed_address")
    op.drop_column("topup", "agreed_version")
