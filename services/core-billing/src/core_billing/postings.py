"""The tables of payments and their postings, and the statements that fill and read them.

Both are written once: the migration has the database itself refuse to change or delete a row. What
decides lies in `ledger`; here a batch of any size is one statement.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    Row,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    case,
    select,
    text,
    update,
)
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from core_billing.accounts import account, balance, source
from shared.db import Instant, Tx, is_postgres, metadata
from shared.rows import Arrays, among, as_arrays

schema = metadata()
payment = Table(
    "payment",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("paid_at", Instant, nullable=False),
    Column("registered_at", Instant, nullable=False),
    Column("source_id", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("category", Integer, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("method", Text, nullable=False),
    Column("order_id", Text),
    Column("suspense_reason", Text),
    UniqueConstraint("external_id", "source_id", "revision"),
)
posting = Table(
    "posting",
    schema,
    # No foreign keys: each would lock a row of `account` shared by all payments. `verify` proves
    # instead that every posting has its payment and its accounts.
    Column("payment_id", BigInteger, primary_key=True, autoincrement=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("debit_balance", BigInteger),
    Column("credit_balance", BigInteger),
    Column("debit_id", Integer, nullable=False),
    Column("credit_id", Integer, nullable=False),
    # A line below zero reverses that line of the revision before.
    Column("line", SmallInteger, primary_key=True, autoincrement=False),
    CheckConstraint("amount_kopecks > 0", name="amount"),
    CheckConstraint("debit_id <> credit_id", name="sides"),
)


def _index(name: str, *columns: Column[Any], where: Column[Any]) -> None:
    present = where.is_not(None)
    Index(name, *columns, postgresql_where=present, sqlite_where=present)


_index("ix_payment_order_id", payment.c.order_id, where=payment.c.order_id)
_index("ix_payment_suspense", payment.c.id, where=payment.c.suspense_reason)
# Only contracts have a balance beside the posting, so clearing accounts stay out of the indexes.
_index(
    "ix_posting_credit",
    posting.c.credit_id,
    posting.c.payment_id,
    where=posting.c.credit_balance,
)
_index("ix_posting_debit", posting.c.debit_id, posting.c.payment_id, where=posting.c.debit_balance)
# Few payments are ever corrected, so who looks for the newest revision finds out at once that
# there is none. Written out, not bound: a planner must see that the index holds what is asked for.
IS_CORRECTION: Final = "revision > 1"
Index(
    "ix_payment_corrected",
    payment.c.external_id,
    payment.c.source_id,
    payment.c.revision,
    postgresql_where=text(IS_CORRECTION),
    sqlite_where=text(IS_CORRECTION),
)
# Moments grow with the ids, so a summary of each stretch of pages costs a posting nothing.
for _moment in (payment.c.paid_at, payment.c.registered_at):
    Index(
        f"ix_payment_{_moment.name}",
        _moment,
        postgresql_using="brin",
        postgresql_with={"autosummarize": "on"},
    )

_INSERT_PAYMENTS: Final = Arrays(
    "INSERT INTO payment (amount_kopecks, paid_at, registered_at, source_id, revision, category,"
    " external_id, method, order_id, suspense_reason)"
    " SELECT * FROM unnest(CAST(:amount_kopecks AS bigint[]), CAST(:paid_at AS timestamptz[]),"
    " CAST(:registered_at AS timestamptz[]), CAST(:source_id AS integer[]),"
    " CAST(:revision AS integer[]), CAST(:category AS integer[]), CAST(:external_id AS text[]),"
    " CAST(:method AS text[]), CAST(:order_id AS text[]), CAST(:suspense_reason AS text[]))"
    " ON CONFLICT DO NOTHING RETURNING source_id, external_id, id"
)
_INSERT_POSTINGS: Final = Arrays(
    "WITH moved AS (UPDATE balance SET kopecks = balance.kopecks + moves.delta"
    " FROM unnest(CAST(:ids AS integer[]), CAST(:deltas AS bigint[])) AS moves(id, delta)"
    " WHERE balance.account_id = moves.id)"
    " INSERT INTO posting (payment_id, line, amount_kopecks, debit_id, credit_id, debit_balance,"
    " credit_balance) SELECT * FROM unnest(CAST(:payment_id AS bigint[]),"
    " CAST(:line AS smallint[]), CAST(:amount_kopecks AS bigint[]), CAST(:debit_id AS integer[]),"
    " CAST(:credit_id AS integer[]), CAST(:debit_balance AS bigint[]),"
    " CAST(:credit_balance AS bigint[]))"
)
_MOVE_BALANCE: Final = (
    update(balance)
    .where(balance.c.account_id == bindparam("moved_id"))
    .values(kopecks=balance.c.kopecks + bindparam("delta"))
)


async def insert_payments(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> dict[tuple[int, str], int]:
    """Insert the payments that are not known yet; return (source id, external id) → id."""
    if not rows:
        return {}
    if is_postgres(tx):
        made = await _INSERT_PAYMENTS.run(tx, as_arrays(rows))
    else:
        columns = (payment.c.source_id, payment.c.external_id, payment.c.id)
        insert = sqlite_insert(payment).on_conflict_do_nothing().returning(*columns)
        made = (await tx.execute(insert, list(rows))).all()
    return {(source_id, external_id): made_id for source_id, external_id, made_id in made}


async def insert_postings(
    tx: Tx, rows: Sequence[Mapping[str, Any]], deltas: Mapping[int, int]
) -> None:
    """Insert the postings of new payments, and add kopecks to the balances of locked accounts."""
    if not rows:
        return
    if is_postgres(tx):
        moves = {"ids": list(deltas), "deltas": list(deltas.values())}
        await _INSERT_POSTINGS.run(tx, {**as_arrays(rows), **moves})
        return
    await tx.execute(posting.insert(), list(rows))
    if deltas:
        moved = [{"moved_id": moved_id, "delta": delta} for moved_id, delta in deltas.items()]
        await tx.execute(_MOVE_BALANCE, moved)


async def lines_of(tx: Tx, external_ids: Collection[str]) -> Sequence[Row[Any]]:
    """Return every posting of the payments with these ids at any source, with the names.

    Columns: those of the payment, `source` and its two accounts, the posting's, its amount as
    `kopecks`, the names `debit` and `credit`, and today's `floor` of the line's contract: its
    credit limit and its active promise.
    In the order of revision and line.
    """
    kept_id = case(
        (posting.c.debit_balance.is_(None), posting.c.credit_id), else_=posting.c.debit_id
    )
    debit, credit = account.alias("debit"), account.alias("credit")
    rows = await tx.execute(
        select(
            source.c.name.label("source"),
            source.c.account_id,
            source.c.suspense_id,
            payment,
            posting.c.line,
            posting.c.amount_kopecks.label("kopecks"),
            posting.c.debit_id,
            posting.c.credit_id,
            posting.c.debit_balance,
            posting.c.credit_balance,
            debit.c.name.label("debit"),
            credit.c.name.label("credit"),
            (balance.c.credit_limit_kopecks + balance.c.promised_kopecks).label("floor"),
        )
        .join(source, source.c.id == payment.c.source_id)
        .join(posting, posting.c.payment_id == payment.c.id)
        .join(debit, debit.c.id == posting.c.debit_id)
        .join(credit, credit.c.id == posting.c.credit_id)
        .join(balance, balance.c.account_id == kept_id, isouter=True)
        .where(among(tx, payment.c.external_id, external_ids))
        .order_by(payment.c.source_id, payment.c.external_id, payment.c.revision, posting.c.line)
    )
    return rows.all()
