"""Keep which contracts are blocked."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_MOMENT = Instant()
_BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


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


def downgrade() -> None:
    """Undo."""
    op.drop_table("block")
