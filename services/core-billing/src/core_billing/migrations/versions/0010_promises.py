"""Keep promised payments."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_MOMENT = Instant()
_BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "promise",
        sa.Column("id", _BIG_KEY, primary_key=True),
        sa.Column("contract_id", sa.Integer, nullable=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("fee_kopecks", sa.BigInteger, nullable=False),
        sa.Column("paid_kopecks", sa.BigInteger, nullable=False),
        sa.Column("granted_at", _MOMENT, nullable=False),
        sa.Column("until", _MOMENT, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.Column("granted_by", sa.Text, nullable=False),
        sa.Column("overdue_at", _MOMENT),
        sa.Column("closed_at", _MOMENT),
        sa.Column("closed_how", sa.Text),
        sa.Column("closed_by", sa.Text),
        sa.Column("repaid_by", sa.BigInteger),
        sa.Column("ending_said_at", _MOMENT),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    still = "closed_at IS NULL"
    for name, column, unique, rows in (
        ("uq_promise_open", "contract_id", True, still),
        ("ix_promise_until", "until", False, f"{still} AND overdue_at IS NULL"),
    ):
        op.create_index(
            name,
            "promise",
            [column],
            unique=unique,
            postgresql_where=sa.text(rows),
            sqlite_where=sa.text(rows),
        )
    op.create_index("ix_promise_contract_id", "promise", ["contract_id", "id"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("promise")
