"""Find payments by the day they were paid or registered, and those that were corrected."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_MOMENTS = (("payment", "paid_at"), ("payment", "registered_at"), ("audit", "at"))


def upgrade() -> None:
    """Apply."""
    corrected = sa.text("revision > 1")
    op.create_index(
        "ix_payment_corrected",
        "payment",
        ["external_id", "source_id", "revision"],
        postgresql_where=corrected,
        sqlite_where=corrected,
    )
    for table, column in _MOMENTS:
        op.create_index(
            f"ix_{table}_{column}",
            table,
            [column],
            postgresql_using="brin",
            postgresql_with={"autosummarize": "on"},
        )


def downgrade() -> None:
    """Undo."""
    for table, column in _MOMENTS:
        op.drop_index(f"ix_{table}_{column}", table)
    op.drop_index("ix_payment_corrected", "payment")
