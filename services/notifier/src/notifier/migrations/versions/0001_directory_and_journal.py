"""Create the directory and the journal of messages."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant
from shared.migrations import create_shared_tables, drop_shared_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_UNSENT = sa.text("state IN ('new', 'ready')")


def upgrade() -> None:
    """Apply."""
    create_shared_tables()
    _create_directory()
    _create_journal()


def downgrade() -> None:
    """Undo."""
    for table in ("message", "subscriber", "contract"):
        op.drop_table(table)
    drop_shared_tables()


def _create_directory() -> None:
    op.create_table(
        "contract",
        sa.Column("number", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("subscriber_id", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
    )
    op.create_index("ix_contract_subscriber_id", "contract", ["subscriber_id"])
    op.create_table(
        "subscriber",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("key_id", sa.Text, nullable=False),
    )


def _create_journal() -> None:
    required = ("fact", "contract", "kind", "channel", "state", "facts", "correlation_id")
    optional = ("reason", "sealed", "key_id", "provider_id")
    op.create_table(
        "message",
        sa.Column("id", sa.Uuid, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in required),
        *(sa.Column(name, sa.Text) for name in optional),
        sa.Column("event_id", sa.Uuid, nullable=False),
        *(
            sa.Column(name, Instant, nullable=False)
            for name in ("created_at", "expires_at", "due_at")
        ),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("doubtful", sa.Boolean, nullable=False, server_default=sa.false()),
        *(sa.Column(name, Instant) for name in ("tried_at", "done_at", "leased_until")),
        sa.Column("lease_token", sa.Uuid),
        sa.UniqueConstraint(
            "fact", "contract", "kind", "channel", name="uq_message_fact_contract_kind_channel"
        ),
    )
    op.create_index(
        "ix_message_unsent",
        "message",
        ["state", "channel", "due_at"],
        postgresql_where=_UNSENT,
        sqlite_where=_UNSENT,
    )
    op.create_index("ix_message_tried", "message", ["channel", "tried_at"])
    op.create_index("ix_message_contract", "message", ["contract", "created_at"])
    op.create_index("ix_message_created", "message", ["created_at", "id"])
