"""Keep which held money is to be taken."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "capture",
        sa.Column("id", sa.Uuid, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("shop", "provider_payment_id")),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("correlation_id", "key")),
        sa.Column("request", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("wanted_at", _MOMENT, nullable=False),
        *(sa.Column(name, _MOMENT) for name in ("hold_until", "warn_at", "due_at")),
        sa.Column("attempts", sa.Integer, nullable=False, server_default="0"),
        sa.Column("lease_token", sa.Uuid),
        sa.Column("leased_until", _MOMENT),
    )
    for name in ("due", "warn"):
        where = sa.text(f"{name}_at IS NOT NULL")
        op.create_index(
            f"ix_capture_{name}",
            "capture",
            [f"{name}_at"],
            postgresql_where=where,
            sqlite_where=where,
        )


def downgrade() -> None:
    """Undo."""
    op.drop_table("capture")
