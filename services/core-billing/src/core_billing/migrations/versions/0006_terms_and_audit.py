"""Let a promise lower the floor; keep the terms of contracts and every act."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_MOMENT = Instant()
_BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply."""
    promised = sa.Column("promised_kopecks", sa.BigInteger, nullable=False, server_default="0")
    op.add_column("balance", promised)
    op.add_column(
        "balance", sa.Column("tied", sa.Boolean, nullable=False, server_default=sa.false())
    )
    op.create_table(
        "terms",
        sa.Column("contract_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("group_name", sa.Text, nullable=False),
        sa.Column("charging", sa.Text, nullable=False),
        sa.Column("block_rule", sa.JSON),
        sa.Column("main_id", sa.Integer),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("automatic_promise", sa.Boolean, nullable=False),
    )
    below = sa.text("main_id IS NOT NULL")
    op.create_index(
        "ix_terms_main_id", "terms", ["main_id"], postgresql_where=below, sqlite_where=below
    )
    op.create_table(
        "audit",
        sa.Column("id", _BIG_KEY, primary_key=True),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("actor", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("subject", sa.Text, nullable=False),
        sa.Column("asked", sa.JSON, nullable=False),
        sa.Column("correlation_id", sa.Text, nullable=False),
    )
    op.create_index("ix_audit_subject", "audit", ["subject", "id"])
    op.create_index("ix_audit_actor", "audit", ["actor", "id"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("audit")
    op.drop_table("terms")
    op.drop_column("balance", "tied")
    op.drop_column("balance", "promised_kopecks")
