"""Keep what was compared with the provider's books, and every difference."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    paid = sa.text("paid_at IS NOT NULL")
    op.create_index(
        "ix_payment_paid",
        "payment",
        ["shop", "paid_at"],
        postgresql_where=paid,
        sqlite_where=paid,
    )
    _create_registers()
    _create_differences()


def downgrade() -> None:
    """Undo."""
    op.drop_table("difference")
    op.drop_table("register")
    op.drop_index("ix_payment_paid", "payment")


def _create_registers() -> None:
    op.create_table(
        "register",
        sa.Column("id", sa.Uuid, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("shop", "kind")),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("file", sa.Text, nullable=False),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("rows", sa.Integer, nullable=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("done", sa.Integer, nullable=False, server_default="0"),
        sa.Column("differences", sa.Integer, nullable=False, server_default="0"),
        sa.Column("received_at", _MOMENT, nullable=False),
        sa.Column("touched_at", _MOMENT, nullable=False),
        sa.Column("finished_at", _MOMENT),
        sa.UniqueConstraint("shop", "digest", name="uq_register_digest"),
    )
    op.create_index("ix_register_day", "register", ["shop", "day"])


def _create_differences() -> None:
    op.create_table(
        "difference",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("shop", sa.Text, nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "provider_id")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("provider_payment_id", "name")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("source", "expected", "found")),
        sa.Column("state", sa.Text, nullable=False, server_default="open"),
        sa.Column("outcome", sa.Text, nullable=False, server_default=""),
        sa.Column("first_seen_at", _MOMENT, nullable=False),
        sa.Column("last_seen_at", _MOMENT, nullable=False),
        sa.Column("settled_at", _MOMENT),
        sa.Column("due_at", _MOMENT),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
        sa.UniqueConstraint("shop", "kind", "provider_id", "name", "source", name="uq_difference"),
    )
    op.create_index("ix_difference_day", "difference", ["shop", "day"])
    for name, column, where in (
        ("ix_difference_open", "name", sa.text("state = 'open'")),
        ("ix_difference_due", "due_at", sa.text("due_at IS NOT NULL")),
    ):
        op.create_index(name, "difference", [column], postgresql_where=where, sqlite_where=where)
