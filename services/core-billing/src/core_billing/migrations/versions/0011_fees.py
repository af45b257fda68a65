"""Keep tariffs and the services of contracts."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_MOMENT = Instant()
_BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "tariff",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("charging", sa.Text, nullable=False),
        sa.Column("charge_while_blocked", sa.Boolean, nullable=False),
        sa.Column("blocks", sa.Boolean, nullable=False),
        sa.Column("closed", sa.Boolean, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("name", name="uq_tariff_name"),
    )
    op.create_table(
        "tariff_price",
        sa.Column("tariff_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("valid_from", sa.Date, primary_key=True),
        sa.Column("month_kopecks", sa.BigInteger, nullable=False),
        sa.Column("set_by", sa.Text, nullable=False),
        sa.Column("set_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "service",
        sa.Column("id", _BIG_KEY, primary_key=True),
        sa.Column("contract_id", sa.Integer, nullable=False),
        sa.Column("label", sa.Text, nullable=False),
        sa.Column("charging", sa.Text, nullable=False),
        sa.Column("starts_on", sa.Date, nullable=False),
        sa.Column("ends_on", sa.Date),
        sa.Column("charged_through", sa.Date, nullable=False),
        sa.Column("due_on", sa.Date),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("changed_by", sa.Text, nullable=False),
        sa.Column("changed_at", _MOMENT, nullable=False),
    )
    live = sa.text("due_on IS NOT NULL")
    op.create_index("ix_service_contract_id", "service", ["contract_id", "id"])
    op.create_index(
        "ix_service_due",
        "service",
        ["due_on", "id"],
        postgresql_where=live,
        sqlite_where=live,
    )
    op.create_table(
        "service_tariff",
        sa.Column("service_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("since", sa.Date, primary_key=True),
        sa.Column("tariff_id", sa.Integer, nullable=False),
    )
    op.create_index("ix_service_tariff_tariff_id", "service_tariff", ["tariff_id"])


def downgrade() -> None:
    """Undo."""
    for table in ("service_tariff", "service", "tariff_price", "tariff"):
        op.drop_table(table)
