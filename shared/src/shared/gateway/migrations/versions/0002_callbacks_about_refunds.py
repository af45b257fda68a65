"""Let callbacks be about refunds and saved methods as well."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; pods of the version before leave the new columns to their defaults."""
    kind = sa.Column("kind", sa.Text, nullable=False, server_default="payment")
    op.add_column("callback", kind)
    op.add_column("callback", sa.Column("about", sa.Text))


def downgrade() -> None:
    """Undo."""
    op.drop_column("callback", "about")
    op.drop_column("callback", "kind")
