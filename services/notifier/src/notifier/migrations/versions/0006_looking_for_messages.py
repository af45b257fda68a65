"""Create the indexes by which people find the few messages that were not simply sent."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ENDED = sa.text("state IN ('undelivered', 'failed', 'dropped', 'skipped')")
_DOUBTED = sa.text("state IN ('sent', 'undelivered') AND doubtful")
_INDEXES = (
    ("ix_message_ended", ["state", "created_at", "id"], _ENDED),
    ("ix_message_doubted", ["created_at"], _DOUBTED),
)


def upgrade() -> None:
    """Apply."""
    for name, columns, where in _INDEXES:
        op.create_index(name, "message", columns, postgresql_where=where, sqlite_where=where)


def downgrade() -> None:
    """Undo."""
    for name, _, _ in reversed(_INDEXES):
        op.drop_index(name, "message")
