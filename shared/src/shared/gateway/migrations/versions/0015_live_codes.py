"""Codes that live for a contract and a sum, and who else has asked for the same one."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_LIVE = sa.text("code_of IS NOT NULL AND due_at IS NOT NULL")


def upgrade() -> None:
    """Apply; pods of the version before leave the column empty."""
    op.add_column("payment", sa.Column("code_of", sa.Text))
    op.create_index(
        "ix_payment_code", "payment", ["code_of"], postgresql_where=_LIVE, sqlite_where=_LIVE
    )
    op.create_table(
        "payment_alias",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("payment_id", sa.Uuid, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("caller", sa.Text),
        sa.Column("caller_key", sa.Text),
        sa.Column("caller_digest", sa.LargeBinary),
        sa.Column("answered", sa.Text, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.UniqueConstraint("order_id", name="uq_payment_alias_order"),
        sa.UniqueConstraint("caller", "caller_key", name="uq_payment_alias_caller"),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("payment_alias")
    op.drop_index("ix_payment_code", "payment")
    op.drop_column("payment", "code_of")
