"""Keep saved methods, charge them, and remember which shops may not."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_MOMENT = Instant()
_LIVE = "status != 'removed'"


def upgrade() -> None:
    """Apply; pods of the version before leave the new columns empty."""
    for name in ("charge_id", "method_ref", "consent"):
        op.add_column("payment", sa.Column(name, sa.Text))
    op.add_column("payment", sa.Column("not_after", _MOMENT))
    _partial_index(
        "uq_payment_charge", "payment", ["shop", "charge_id"], "charge_id IS NOT NULL", unique=True
    )
    _create_methods()
    op.create_table(
        "charging",
        sa.Column("shop", sa.Text, primary_key=True),
        sa.Column("paused_at", _MOMENT, nullable=False),
        sa.Column("paused_until", _MOMENT, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("charging")
    op.drop_table("payment_method")
    op.drop_index("uq_payment_charge", "payment")
    for name in ("not_after", "consent", "method_ref", "charge_id"):
        op.drop_column("payment", name)


def _create_methods() -> None:
    op.create_table(
        "payment_method",
        sa.Column("id", sa.Uuid, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("shop", "contract", "status")),
        sa.Column("revision", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("kind", sa.Text, nullable=False, server_default=""),
        sa.Column("title", sa.Text, nullable=False, server_default=""),
        sa.Column("expires", sa.Text),
        sa.Column("reason", sa.Text, nullable=False, server_default=""),
        sa.Column("consent", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("token", "token_hash", "contact")),
        sa.Column("payment_id", sa.Uuid),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("removed_at", _MOMENT),
        *(sa.Column(name, sa.Text) for name in ("confirmation_url", "caller", "caller_key")),
        sa.Column("caller_digest", sa.LargeBinary),
        sa.Column("key", sa.Text),
        sa.Column("request", sa.LargeBinary),
        *(sa.Column(name, _MOMENT) for name in ("first_sent_at", "due_at")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
        sa.UniqueConstraint("payment_id", name="uq_payment_method_payment"),
        sa.UniqueConstraint("caller", "caller_key", name="uq_payment_method_caller"),
    )
    op.create_index("ix_payment_method_contract", "payment_method", ["contract"])
    _partial_index("ix_payment_method_due", "payment_method", ["due_at"], "due_at IS NOT NULL")
    _partial_index(
        "uq_payment_method_token", "payment_method", ["shop", "token_hash"], _LIVE, unique=True
    )


def _partial_index(
    name: str, table: str, columns: list[str], where: str, *, unique: bool = False
) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        postgresql_where=condition,
        sqlite_where=condition,
    )
