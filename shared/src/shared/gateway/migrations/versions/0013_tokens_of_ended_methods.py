"""Let a card that was ended by its provider be saved again under the same token."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_NAME = "uq_payment_method_token"
_NOT_REMOVED = "status != 'removed'"
_HOLDS = "status NOT IN ('removed', 'inactive')"


def upgrade() -> None:
    """Apply; pods of the version before see a token of an ended method as taken, as ever."""
    _replace(_HOLDS)


def downgrade() -> None:
    """Undo; an ended method is never charged, so nobody looks for its token any more."""
    op.execute("UPDATE payment_method SET token_hash = NULL WHERE status = 'inactive'")
    _replace(_NOT_REMOVED)


def _replace(where: str) -> None:
    condition = sa.text(where)
    op.drop_index(_NAME, "payment_method")
    op.create_index(
        _NAME,
        "payment_method",
        ["shop", "token_hash"],
        unique=True,
        postgresql_where=condition,
        sqlite_where=condition,
    )
