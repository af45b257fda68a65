"""Create payments, callbacks and the directory of contracts."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant
from shared.migrations import create_shared_tables, drop_shared_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    create_shared_tables()
    _create_payments()
    _create_callbacks()
    op.create_table(
        "contract",
        sa.Column("number", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Undo."""
    for table in ("contract", "callback", "payment"):
        op.drop_table(table)
    drop_shared_tables()


def _create_payments() -> None:
    op.create_table(
        "payment",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("shop", sa.Text, nullable=False),
        sa.Column("provider_payment_id", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("said", sa.Text, nullable=False, server_default=""),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("allocations", sa.Text, nullable=False),
        sa.Column("received_kopecks", sa.BigInteger),
        sa.Column("method", sa.Text, nullable=False, server_default=""),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        *(sa.Column(name, sa.Text) for name in ("suspense", "held", "confirmation_url")),
        *(sa.Column(name, sa.Text) for name in ("return_url", "contact", "order_id")),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("paid_at", _MOMENT),
        sa.Column("caller", sa.Text),
        sa.Column("caller_key", sa.Text),
        sa.Column("caller_digest", sa.LargeBinary),
        sa.Column("answered", sa.Text),
        sa.Column("key", sa.Text),
        sa.Column("request", sa.LargeBinary),
        *(sa.Column(name, _MOMENT) for name in ("first_sent_at", "list_at", "due_at")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
        sa.Column("say_at", _MOMENT),
        sa.Column("says", sa.Integer, nullable=False, server_default="0"),
        sa.Column("said_first_at", _MOMENT),
        sa.Column("acknowledged_at", _MOMENT),
        sa.UniqueConstraint("order_id", name="uq_payment_order_id"),
        sa.UniqueConstraint("shop", "provider_payment_id", name="uq_payment_provider"),
        sa.UniqueConstraint("caller", "caller_key", name="uq_payment_caller"),
    )
    _partial_index("payment", "due", ["due_at"], "due_at IS NOT NULL")
    _partial_index("payment", "say", ["say_at"], "say_at IS NOT NULL")


def _create_callbacks() -> None:
    op.create_table(
        "callback",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("event", "shop")),
        sa.Column("provider_payment_id", sa.Text, nullable=False),
        sa.Column("payment_id", sa.Uuid),
        sa.Column("claims", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("known", sa.Boolean, nullable=False),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.Column("due_at", _MOMENT),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
        sa.Column("outcome", sa.Text),
        sa.UniqueConstraint("provider_payment_id", "event", "shop", name="uq_callback_fact"),
    )
    _partial_index("callback", "due", ["known", "due_at"], "due_at IS NOT NULL")
    foreign = sa.false() == sa.column("known")
    op.create_index(
        "ix_callback_foreign",
        "callback",
        ["received_at"],
        postgresql_where=foreign,
        sqlite_where=foreign,
    )


def _partial_index(table: str, name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(
        f"ix_{table}_{name}",
        table,
        columns,
        postgresql_where=condition,
        sqlite_where=condition,
    )
