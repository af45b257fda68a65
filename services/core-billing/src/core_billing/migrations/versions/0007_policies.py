"""Keep the settings of the billing with their history, and payment categories."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_MOMENT = Instant()
_BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "policy",
        sa.Column("id", _BIG_KEY, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("valid_from", sa.Date, nullable=False),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("set_at", _MOMENT, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.UniqueConstraint("name", "scope", "revision", name="uq_policy_name_scope_revision"),
    )
    op.create_index("ix_policy_scope", "policy", ["scope"])
    op.create_table(
        "category",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("external_code", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.Column("deleted_at", _MOMENT),
    )
    kept = sa.text("deleted_at IS NULL")
    for column in ("name", "external_code"):
        op.create_index(
            f"uq_category_{column}",
            "category",
            [column],
            unique=True,
            postgresql_where=kept,
            sqlite_where=kept,
        )


def downgrade() -> None:
    """Undo."""
    op.drop_table("category")
    op.drop_table("policy")
