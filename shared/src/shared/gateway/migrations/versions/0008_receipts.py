"""Keep what was printed for a payment, and follow its receipts."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply; pods of the version before print nothing and leave the new column empty."""
    op.add_column("payment", sa.Column("receipt", sa.Text))
    op.create_table(
        "receipt",
        sa.Column("id", sa.Uuid, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("shop", "kind")),
        sa.Column("payment_id", sa.Uuid, nullable=False),
        sa.Column("provider_payment_id", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("reference", "line")),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("provider_receipt_id", "document")),
        *(sa.Column(name, sa.Text) for name in ("storage", "attribute")),
        sa.Column("registered_at", _MOMENT),
        sa.Column("key", sa.Text),
        sa.Column("request", sa.LargeBinary),
        *(sa.Column(name, _MOMENT) for name in ("first_sent_at", "list_at", "due_at")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
        sa.UniqueConstraint("payment_id", "kind", "reference", name="uq_receipt_fact"),
    )
    _partial_index("due", "due_at", "due_at IS NOT NULL")
    _partial_index("bad", "created_at", "reason <> ''")


def downgrade() -> None:
    """Undo."""
    op.drop_table("receipt")
    op.drop_column("payment", "receipt")


def _partial_index(name: str, column: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        f"ix_receipt_{name}",
        "receipt",
        [column],
        postgresql_where=condition,
        sqlite_where=condition,
    )
