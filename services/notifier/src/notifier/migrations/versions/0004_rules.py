"""Create what is chosen, confirmed, known of balances and of faults; queues go by urgency."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NEW = sa.text("state = 'new'")
_READY = sa.text("state = 'ready'")
_UNSENT = sa.text("state IN ('new', 'ready')")
_QUEUES = (
    ("ix_message_new", ["urgency", "due_at"], _NEW),
    ("ix_message_ready", ["channel", "urgency", "due_at"], _READY),
    ("ix_message_expires", ["expires_at"], _UNSENT),
)


def upgrade() -> None:
    """Apply."""
    urgency = sa.Column("urgency", sa.SmallInteger, nullable=False, server_default="1")
    op.add_column("message", urgency)
    op.add_column("message", sa.Column("zone", sa.Text))
    for name, columns, where in _QUEUES:
        op.create_index(name, "message", columns, postgresql_where=where, sqlite_where=where)
    op.drop_index("ix_message_unsent", "message")
    _create_choices()
    op.create_table(
        "balance",
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("kopecks", sa.BigInteger, nullable=False),
        sa.Column("at", Instant, nullable=False),
    )
    op.create_table(
        "fault",
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("alone", sa.Boolean, nullable=False),
        sa.Column("since", Instant, nullable=False),
        sa.Column("message_id", sa.Uuid),
    )
    op.create_index("ix_fault_alone", "fault", ["alone", "contract"])


def downgrade() -> None:
    """Undo."""
    for table in ("fault", "balance", "confirmation", "preference"):
        op.drop_table(table)
    op.create_index(
        "ix_message_unsent",
        "message",
        ["state", "channel", "due_at"],
        postgresql_where=_UNSENT,
        sqlite_where=_UNSENT,
    )
    for name, _, _ in _QUEUES:
        op.drop_index(name, "message")
    op.drop_column("message", "zone")
    op.drop_column("message", "urgency")


def _create_choices() -> None:
    op.create_table(
        "preference",
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("chosen", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
    )
    op.create_table(
        "confirmation",
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("channel", sa.Text, primary_key=True),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("asked", sa.Integer, nullable=False),
        sa.Column("first_at", Instant, nullable=False),
        sa.Column("sent_at", Instant, nullable=False),
        sa.Column("expires_at", Instant, nullable=False),
    )
