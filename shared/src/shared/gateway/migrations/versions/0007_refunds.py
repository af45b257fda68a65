"""Create refunds, what is reserved for them, and the search for those that nobody asked for."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply; pods of the version before make payments of which nothing is reserved."""
    reserved = sa.Column("reserved_kopecks", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("payment", reserved)
    _create_refunds()
    op.create_table(
        "refund_search",
        sa.Column("id", sa.Uuid, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("shop", "provider_payment_id")),
        *(sa.Column(name, _MOMENT, nullable=False) for name in ("since", "due_at")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
    )
    op.create_index("ix_refund_search_due", "refund_search", ["due_at"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("refund_search")
    op.drop_table("refund")
    op.drop_column("payment", "reserved_kopecks")


def _create_refunds() -> None:
    op.create_table(
        "refund",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("shop", sa.Text, nullable=False),
        sa.Column("payment_id", sa.Uuid, nullable=False),
        sa.Column("provider_payment_id", sa.Text, nullable=False),
        sa.Column("provider_refund_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("failure", sa.Text, nullable=False, server_default=""),
        sa.Column("held", sa.Text),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        *(sa.Column(name, _MOMENT) for name in ("refunded_at", "failed_at")),
        *(sa.Column(name, sa.Text) for name in ("asked_by", "request_id")),
        *(sa.Column(name, sa.Text) for name in ("caller", "caller_key")),
        sa.Column("caller_digest", sa.LargeBinary),
        *(sa.Column(name, sa.Text) for name in ("answered", "key")),
        sa.Column("request", sa.LargeBinary),
        *(sa.Column(name, _MOMENT) for name in ("first_sent_at", "list_at", "due_at")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
        sa.Column("say_at", _MOMENT),
        sa.Column("says", sa.Integer, nullable=False, server_default="0"),
        sa.Column("said_first_at", _MOMENT),
        sa.Column("acknowledged_at", _MOMENT),
        sa.UniqueConstraint("request_id", name="uq_refund_request_id"),
        sa.UniqueConstraint("shop", "provider_refund_id", name="uq_refund_provider"),
        sa.UniqueConstraint("caller", "caller_key", name="uq_refund_caller"),
    )
    op.create_index("ix_refund_payment", "refund", ["payment_id"])
    for name in ("due", "say"):
        where = sa.text(f"{name}_at IS NOT NULL")
        op.create_index(
            f"ix_refund_{name}",
            "refund",
            [f"{name}_at"],
            postgresql_where=where,
            sqlite_where=where,
        )
