"""Create the ledger, the contracts and what the cabinet keeps."""

import sqlalchemy as sa
from alembic import op

from shared.db import Instant
from shared.migrations import create_shared_tables, drop_shared_tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = Instant()
_BIG_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_WRITTEN_ONCE = ("payment", "posting")
_KNOWN_BY = ("external_id", "source_id", "revision")


def upgrade() -> None:
    """Apply."""
    create_shared_tables()
    _create_accounts()
    _create_payments()
    _create_postings()
    _refuse_changes()
    _create_contracts()
    _create_watches()
    _create_lists()
    _create_cabinet()


def downgrade() -> None:
    """Undo."""
    for table in (
        *("topup", "login_attempt", "session", "dead_letter", "idempotency_key", "uncredited"),
        *("watch", "subscriber", "contract", "posting", "payment", "source", "balance", "account"),
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION saldo_written_once()")
    drop_shared_tables()


def _create_accounts() -> None:
    op.create_table(
        "account",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.UniqueConstraint("name", name="uq_account_name"),
    )
    op.create_table(
        "balance",
        sa.Column("account_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("kopecks", sa.BigInteger, nullable=False),
        sa.Column("credit_limit_kopecks", sa.BigInteger, nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "source",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("account_id", sa.Integer, nullable=False),
        sa.Column("suspense_id", sa.Integer, nullable=False),
        sa.UniqueConstraint("name", name="uq_source_name"),
    )


def _create_payments() -> None:
    op.create_table(
        "payment",
        sa.Column("id", _BIG_KEY, primary_key=True),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("paid_at", _MOMENT, nullable=False),
        sa.Column("registered_at", _MOMENT, nullable=False),
        sa.Column("source_id", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("category", sa.Integer, nullable=False),
        sa.Column("external_id", sa.Text, nullable=False),
        sa.Column("method", sa.Text, nullable=False),
        sa.Column("order_id", sa.Text),
        sa.Column("suspense_reason", sa.Text),
        sa.UniqueConstraint(*_KNOWN_BY, name=f"uq_payment_{'_'.join(_KNOWN_BY)}"),
    )
    _index("ix_payment_order_id", "payment", "order_id", where="order_id IS NOT NULL")
    _index("ix_payment_suspense", "payment", "id", where="suspense_reason IS NOT NULL")


def _create_postings() -> None:
    op.create_table(
        "posting",
        sa.Column("payment_id", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("debit_balance", sa.BigInteger),
        sa.Column("credit_balance", sa.BigInteger),
        sa.Column("debit_id", sa.Integer, nullable=False),
        sa.Column("credit_id", sa.Integer, nullable=False),
        sa.Column("line", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.CheckConstraint("amount_kopecks > 0", name="ck_posting_amount"),
        sa.CheckConstraint("debit_id <> credit_id", name="ck_posting_sides"),
    )
    for side in ("credit", "debit"):
        _index(
            f"ix_posting_{side}",
            "posting",
            f"{side}_id",
            "payment_id",
            where=f"{side}_balance IS NOT NULL",
        )


def _refuse_changes() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION saldo_written_once() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION '% is written once', TG_TABLE_NAME; END $$"
        )
        for table in _WRITTEN_ONCE:
            op.execute(
                f"CREATE TRIGGER {table}_written_once BEFORE UPDATE OR DELETE ON {table} "
                "FOR EACH ROW EXECUTE FUNCTION saldo_written_once()"
            )
        return
    for table in _WRITTEN_ONCE:
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER {table}_no_{what.lower()} BEFORE {what} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is written once'); END"
            )


def _create_contracts() -> None:
    op.create_table(
        "contract",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Text, nullable=False),
        sa.Column("subscriber_id", sa.Text, nullable=False),
        sa.Column("operator", sa.Text, nullable=False),
        sa.Column("low_balance_kopecks", sa.BigInteger),
        sa.Column("password_hash", sa.Text),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("number", name="uq_contract_number"),
    )
    op.create_index("ix_contract_subscriber_id", "contract", ["subscriber_id"])
    op.create_table(
        "subscriber",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("phone", sa.Text, nullable=False),
        sa.Column("email", sa.Text, nullable=False),
        sa.Column("language", sa.Text, nullable=False),
        sa.Column("timezone", sa.Text, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )


def _create_watches() -> None:
    op.create_table(
        "watch",
        sa.Column("contract_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("watcher", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, primary_key=True),
        sa.Column("threshold_kopecks", sa.BigInteger),
        sa.Column("armed", sa.Boolean, nullable=False),
        sa.Column("crossing", sa.Integer, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("cleared", sa.Boolean, nullable=False),
    )


def _create_lists() -> None:
    op.create_table(
        "uncredited",
        sa.Column("external_id", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("reason", sa.Text, primary_key=True),
        sa.Column("amount_kopecks", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("contract", sa.Text),
        sa.Column("paid_at", _MOMENT, nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
    )
    op.create_table(
        "idempotency_key",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("status", sa.Integer),
        sa.Column("answer", sa.LargeBinary),
        sa.Column("claimed_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_idempotency_key_claimed_at", "idempotency_key", ["claimed_at"])
    op.create_table(
        "dead_letter",
        sa.Column("id", _BIG_KEY, primary_key=True),
        sa.Column("queue", sa.Text, nullable=False),
        sa.Column("body_hash", sa.LargeBinary, nullable=False),
        sa.Column("event_id", sa.Uuid),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("signature", sa.Text, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("deaths", sa.Integer, nullable=False),
        sa.Column("died_at", _MOMENT, nullable=False),
        sa.Column("replay_at", _MOMENT),
        sa.Column("replayed_at", _MOMENT),
        sa.UniqueConstraint("queue", "body_hash", name="uq_dead_letter_queue_body_hash"),
    )
    _index("ix_dead_letter_waiting", "dead_letter", "died_at", where="replayed_at IS NULL")


def _create_cabinet() -> None:
    op.create_table(
        "session",
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("token_hash", sa.Text, nullable=False),
        sa.Column("subscriber_id", sa.Text, nullable=False),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("device", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("seen_at", _MOMENT, nullable=False),
        sa.UniqueConstraint("token_hash", name="uq_session_token_hash"),
    )
    for column in ("subscriber_id", "seen_at"):
        op.create_index(f"ix_session_{column}", "session", [column])
    op.create_table(
        "login_attempt",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("ends_at", _MOMENT, nullable=False),
    )
    op.create_index("ix_login_attempt_ends_at", "login_attempt", ["ends_at"])
    op.create_table(
        "topup",
        sa.Column("order_id", sa.Uuid, primary_key=True),
        sa.Column("contract", sa.Text, nullable=False),
        sa.Column("amount_kopecks", sa.BigInteger, nullable=False),
        sa.Column("correlation_id", sa.Text, nullable=False),
        sa.Column("created_at", _MOMENT, nullable=False),
        sa.Column("canceled_at", _MOMENT),
    )
    op.create_index("ix_topup_contract", "topup", ["contract", "created_at"])
    op.create_index("ix_topup_created_at", "topup", ["created_at"])


def _index(name: str, table: str, *columns: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, table, list(columns), postgresql_where=condition, sqlite_where=condition)
