"""Keep a journal; forget the bodies of callbacks."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply; no version that still stores bodies was ever released."""
    op.create_table(
        "journal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("at", Instant(), nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("direction", "shop", "call", "outcome")
        ),
        sa.Column("status", sa.Integer),
        sa.Column("micros", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("object_id", "provider_payment_id")),
        sa.Column("payment_id", sa.Uuid),
        sa.Column("correlation_id", sa.Text, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("sent", "said")),
    )
    for name, column in (("theirs", "provider_payment_id"), ("ours", "payment_id")):
        there = sa.column(column).is_not(None)
        op.create_index(
            f"ix_journal_{name}",
            "journal",
            [column, "id"],
            postgresql_where=there,
            sqlite_where=there,
        )
    # Nothing reads them; they held whatever a provider chose to say.
    op.drop_column("callback", "body")


def downgrade() -> None:
    """Undo; forgotten bodies stay forgotten."""
    body = sa.Column("body", sa.LargeBinary, nullable=False, server_default=sa.text("''"))
    op.add_column("callback", body)
    op.drop_table("journal")
