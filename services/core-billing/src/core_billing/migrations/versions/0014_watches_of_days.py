"""Watch days before a block or a fee, tell watchers how contracts stand, keep who was told what."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_MOMENT = Instant()


def upgrade() -> None:
    """Apply."""
    op.add_column("watch", sa.Column("days", sa.Integer))
    op.add_column("watch", sa.Column("said_for", sa.Date))
    op.add_column("watch", sa.Column("seen_kopecks", sa.BigInteger))
    for name, where in (
        ("ix_watch_crossed", "kind = 'days' AND NOT armed AND NOT cleared"),
        ("ix_watch_foreign", "watcher <> 'notifier' AND NOT cleared"),
    ):
        some = sa.text(where)
        op.create_index(name, "watch", ["contract_id"], postgresql_where=some, sqlite_where=some)
    op.add_column("terms", sa.Column("low_balance_days", sa.Integer))
    op.create_table(
        "sweep",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("after_id", sa.Integer, nullable=False),
        sa.Column("ended", sa.Boolean, nullable=False),
    )
    op.create_table(
        "due",
        sa.Column("contract_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("times", sa.Integer, nullable=False),
        sa.Column("balance_kopecks", sa.BigInteger, nullable=False),
        sa.Column("available_kopecks", sa.BigInteger),
        sa.Column("needed_kopecks", sa.BigInteger, nullable=False),
        sa.Column("blocks_on", sa.Date),
        sa.Column("said_at", _MOMENT, nullable=False),
    )
    big = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "message",
        sa.Column("id", big, primary_key=True),
        sa.Column("event_id", sa.Uuid, nullable=False),
        sa.Column("contract_id", sa.Integer, nullable=False),
        sa.Column("at", _MOMENT, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("channel", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("about", sa.Text, nullable=False),
        sa.UniqueConstraint("event_id", name="uq_message_event_id"),
    )
    op.create_index("ix_message_contract_id", "message", ["contract_id", "at", "id"])
    op.create_index("ix_message_at", "message", ["at"])


def downgrade() -> None:
    """Undo."""
    op.drop_table("message")
    op.drop_table("due")
    op.drop_table("sweep")
    op.drop_column("terms", "low_balance_days")
    op.drop_index("ix_watch_foreign", "watch")
    op.drop_index("ix_watch_crossed", "watch")
    for name in ("seen_kopecks", "said_for", "days"):
        op.drop_column("watch", name)
