"""Create the directory, mandates with their journal, occasions and charges."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant
from shared.migrations import create_shared_tables, drop_shared_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    create_shared_tables()
    _create_directory()
    _create_mandate()
    _create_occasion()
    _create_charge()
    _create_watch_and_pause()


def downgrade() -> None:
    """Undo."""
    for table in (
        *("pause", "watch", "charge", "occasion", "consent", "mandate", "method"),
        *("account", "subscriber", "contract"),
    ):
        op.drop_table(table)
    drop_shared_tables()


def _create_directory() -> None:
    op.create_table(
        "contract",
        sa.Column("number", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("subscriber_id", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
    )
    op.create_index("ix_contract_subscriber_id", "contract", ["subscriber_id"])
    op.create_table(
        "subscriber",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
    )
    op.create_table(
        "account",
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("balance_kopecks", sa.BigInteger),
        sa.Column("available_kopecks", sa.BigInteger),
        sa.Column("balance_at", Instant),
        sa.Column("needed_kopecks", sa.BigInteger),
        sa.Column("needed_balance_kopecks", sa.BigInteger),
        sa.Column("needed_at", Instant),
        _text("lines", "[]"),
        sa.Column("blocks_on", sa.Date),
        sa.Column("blocked", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("access_revision", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "method",
        sa.Column("provider", sa.Text, primary_key=True),
        sa.Column("method_ref", sa.Text, primary_key=True),
        *(_text(name, "") for name in ("contract", "kind", "title", "reason")),
        sa.Column("expires", sa.Text),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("told_expires", sa.Text),
    )
    op.create_index("ix_method_contract", "method", ["contract"])


def _create_mandate() -> None:
    required = ("contract", "state", "trigger", "provider", "method_ref", "timezone")
    op.create_table(
        "mandate",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in required),
        _text("reason", ""),
        *(sa.Column(name, sa.BigInteger) for name in ("threshold_kopecks", "amount_kopecks")),
        *(sa.Column(name, sa.Integer) for name in ("days_before", "day_of_month")),
        sa.Column("cap_kopecks", sa.BigInteger, nullable=False),
        *(sa.Column(name, sa.Text) for name in ("reserve_provider", "reserve_ref")),
        *(sa.Column(name, sa.Date) for name in ("paused_until", "next_day")),
        sa.Column("skip_next", sa.Boolean, nullable=False),
        *(sa.Column(name, Instant, nullable=False) for name in ("created_at", "changed_at")),
        *(sa.Column(name, Instant) for name in ("revoked_at", "look_at")),
    )
    _index("uq_mandate_live", "mandate", ["contract"], "state = 'active'", unique=True)
    _index("ix_mandate_look", "mandate", ["look_at"], "look_at IS NOT NULL")
    op.create_index("ix_mandate_created", "mandate", ["created_at", "id"])
    op.create_table(
        "consent",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True),
        sa.Column("mandate_id", sa.Uuid, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("contract", "act", "version", "channel", "terms")
        ),
        sa.Column("at", Instant, nullable=False),
        sa.Column("address", sa.Text),
        _text("detail", ""),
    )
    op.create_index("ix_consent_mandate", "consent", ["mandate_id", "id"])


def _create_occasion() -> None:
    op.create_table(
        "occasion",
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("mandate_id", sa.Uuid),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("why", "state")),
        sa.Column("number", sa.BigInteger, nullable=False),
        _text("reason", ""),
        sa.Column("opened_at", Instant, nullable=False),
        *(sa.Column(name, Instant) for name in ("closed_at", "hold_until")),
        *(sa.Column(name, sa.Date) for name in ("day", "blocks_on")),
        *(sa.Column(name, sa.BigInteger) for name in ("balance_kopecks", "needed_kopecks")),
        _text("lines", "[]"),
        sa.Column("charges", sa.Integer, nullable=False, server_default="0"),
        sa.Column("hold", sa.Text),
    )


def _create_charge() -> None:
    required = ("contract", "occasion", "why", "provider", "method_ref", "state", "correlation_id")
    moments = (
        *("announce_at", "not_after", "announced_at", "requested_at"),
        *("concluded_at", "credited_at"),
    )
    op.create_table(
        "charge",
        sa.Column("id", sa.Text, primary_key=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in required),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("mandate_id", sa.Uuid),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        *(sa.Column(name, Instant, nullable=False) for name in ("charge_at", "created_at")),
        *(sa.Column(name, Instant) for name in moments),
        _text("reason", ""),
        sa.Column("failure", sa.Text),
    )
    upcoming = "state IN ('planned', 'announced')"
    in_flight = "state IN ('planned', 'announced', 'requested', 'unclear')"
    _index("uq_charge_open", "charge", ["contract"], in_flight, unique=True)
    _index("ix_charge_announce", "charge", ["announce_at"], "state = 'planned'")
    _index("ix_charge_due", "charge", ["charge_at"], upcoming)
    _index("ix_charge_unclear", "charge", ["not_after"], "state = 'requested'")
    op.create_index("ix_charge_contract", "charge", ["contract", "created_at"])
    op.create_index("ix_charge_created", "charge", ["created_at", "id"])


def _create_watch_and_pause() -> None:
    op.create_table(
        "watch",
        sa.Column("contract", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("revision", sa.BigInteger, nullable=False),
        sa.Column("cleared", sa.Boolean, nullable=False),
        sa.Column("threshold_kopecks", sa.BigInteger),
        sa.Column("days", sa.Integer),
    )
    op.create_table(
        "pause",
        sa.Column("provider", sa.Text, primary_key=True),
        *(sa.Column(name, Instant, nullable=False) for name in ("paused_at", "paused_until")),
        sa.Column("reason", sa.Text, nullable=False),
    )


def _text(name: str, default: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default=default)


def _index(name: str, table: str, columns: list[str], where: str, *, unique: bool = False) -> None:
    condition = sa.text(where)
    op.create_index(
        name,
        table,
        columns,
        unique=unique,
        postgresql_where=condition,
        sqlite_where=condition,
    )
