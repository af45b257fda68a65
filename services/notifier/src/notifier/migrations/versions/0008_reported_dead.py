"""Remember of a report that waits whether it calls the number itself dead."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    dead = sa.Column("dead", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("report", dead)


def downgrade() -> None:
    """Undo."""
    op.drop_column("report", "dead")
