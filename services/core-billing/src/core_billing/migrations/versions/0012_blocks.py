"""Keep which contracts are blocked, and what must be known before one is."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "block",
        sa.Column("contract_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("blocked", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("changed_at", _MOMENT),
        sa.Column("short_since", _MOMENT),
        sa.Column("postponed_until", _MOMENT),
    )
    blocked = sa.text("blocked")
    op.create_index(
        "ix_block_blocked",
        "block",
        ["contract_id"],
        postgresql_where=blocked,
        sqlite_where=blocked,
    )
    short = sa.text("short_since IS NOT NULL")
    op.create_index(
        "ix_block_short", "block", ["contract_id"], postgresql_where=short, sqlite_where=short
    )
    op.create_table(
        "block_change",
        sa.Column("contract_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("blocked", sa.Boolean, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
    )
    op.create_table(
        "pending_payment",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("external_id", sa.Text, primary_key=True),
        sa.Column("contract_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("heard_at", _MOMENT, nullable=False),
    )
    op.create_index(
        "ix_pending_payment_contract_id", "pending_payment", ["contract_id", "heard_at"]
    )
    op.create_index("ix_pending_payment_heard_at", "pending_payment", ["heard_at"])
    op.create_table(
        "gateway_life",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("said_at", _MOMENT),
        sa.Column("heard_at", _MOMENT),
        sa.Column("unsettled_seconds", sa.BigInteger, nullable=False),
        sa.Column("unpublished_seconds", sa.BigInteger, nullable=False),
        sa.Column("asked_at", _MOMENT),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("gateway_life")
    op.drop_table("pending_payment")
    op.drop_table("block_change")
    op.drop_table("block")
