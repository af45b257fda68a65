"""One payment, one statement: the ledger's shortest way on PostgreSQL.

Everything that `ledger.post` does for a payment to one contract happens in a single statement on
a connection without an open transaction, so the server commits it by itself. What is rarer (several
contracts, a known reference, a source met for the first time) goes the way of the batch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from core_billing import accounts, drafts, ledger
from core_billing.drafts import Payment
from core_billing.ledger import Credit, Outcome, Receipt
from shared.db import Database, is_repeatable, transaction

PostOne = Callable[[Payment, datetime], Awaitable[Receipt]]
"""Posts one payment, registered at a moment."""
Fetch = Callable[..., Awaitable[Any]]
"""Runs the statement with its nine arguments; returns its row, or None where it wrote nothing."""

REPEATS_MAX: Final = 5

_COLUMNS: Final = (
    "amount_kopecks, paid_at, registered_at, source_id, revision, category, external_id, method,"
    " order_id, suspense_reason"
)
# The contract is locked first: so it is open for as long as this takes, ids follow the order of
# balances, and no batch that locked it waits for a payment of ours. `moved` sees the row as it is
# after the lock was granted, not as it was when the statement began.
STATEMENT: Final = f"""
WITH locked AS (
    SELECT balance.account_id, balance.open
    FROM account JOIN balance ON balance.account_id = account.id
    WHERE account.name = $1 FOR UPDATE OF balance
), origin AS (
    SELECT source.id, source.account_id, source.suspense_id,
        CASE WHEN locked.open THEN locked.account_id END AS contract_id,
        CASE WHEN locked.open IS NULL THEN '{drafts.UNKNOWN}'
             WHEN NOT locked.open THEN '{drafts.CLOSED}' END AS suspense_reason
    FROM source LEFT JOIN locked ON true WHERE source.name = $2
), made AS (
    INSERT INTO payment ({_COLUMNS})
    SELECT $4, $5, $6, origin.id, 1, $7, $3, $8, $9, origin.suspense_reason FROM origin
    ON CONFLICT DO NOTHING RETURNING id
), moved AS (
    UPDATE balance SET kopecks = balance.kopecks + $4 FROM origin
    WHERE balance.account_id = origin.contract_id AND EXISTS (SELECT FROM made)
    RETURNING balance.kopecks, balance.credit_limit_kopecks + balance.promised_kopecks AS floor
), written AS (
    INSERT INTO posting (payment_id, amount_kopecks, credit_balance, debit_id, credit_id, line)
    SELECT made.id, $4, moved.kopecks, origin.account_id,
        COALESCE(origin.contract_id, origin.suspense_id), 1
    FROM made CROSS JOIN origin LEFT JOIN moved ON true
    RETURNING payment_id, credit_id, credit_balance
)
SELECT written.payment_id, written.credit_id, written.credit_balance,
    moved.floor, origin.suspense_reason
FROM written CROSS JOIN origin LEFT JOIN moved ON true
"""  # noqa: S608 - our own words, no one's input


@asynccontextmanager
async def posting_one_by_one(db: Database, *, driver: bool = False) -> AsyncIterator[PostOne]:
    """Hold a connection and yield the function that posts one payment through it.

    With `driver` the statement goes past SQLAlchemy to asyncpg. SQLite, which knows no such
    statement, gets a transaction for each payment.
    """
    if not db.postgres:
        yield lambda payment, at: _post_in_transaction(db, payment, at)
        return
    async with db.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        fetch = await _prepared(connection) if driver else _through_sqlalchemy(connection)

        async def post_one(payment: Payment, at: datetime) -> Receipt:
            for attempt in range(1, REPEATS_MAX + 1):
                try:
                    receipt = await _post_simple(fetch, payment, at)
                    return receipt or await _post_any(connection, payment, at)
                except Exception as error:
                    if not is_repeatable(error) or attempt == REPEATS_MAX:
                        raise
            raise AssertionError("unreachable: the last attempt returns or raises")

        yield post_one


async def _post_simple(fetch: Fetch, payment: Payment, at: datetime) -> Receipt | None:
    """Post a payment whose whole amount is for one contract; None where it is not so simple."""
    if payment.suspense is not None or payment.amount_kopecks <= 0:
        return None
    if len(payment.allocations) != 1 or payment.allocations[0][1] != payment.amount_kopecks:
        return None
    number = payment.allocations[0][0]
    row = await fetch(
        accounts.of_contract(number),
        payment.source,
        payment.external_id,
        payment.amount_kopecks,
        payment.paid_at,
        at,
        payment.category,
        payment.method,
        payment.order_id,
    )
    if row is None:
        return None
    payment_id, account_id, balance, floor, reason = row
    amount = payment.amount_kopecks
    if reason is not None:
        return Receipt(Outcome.SUSPENSE, payment_id, amount, at, (), amount, reason)
    credit = Credit(number, account_id, amount, balance, balance + floor)
    return Receipt(Outcome.POSTED, payment_id, amount, at, (credit,))


async def _prepared(connection: AsyncConnection) -> Fetch:
    raw = (await connection.get_raw_connection()).driver_connection
    if raw is None:
        raise AssertionError("a connection of the pool without its driver's connection")
    statement = await raw.prepare(STATEMENT)

    async def fetch(*arguments: object) -> Any:
        return await statement.fetchrow(*arguments)

    return fetch


def _through_sqlalchemy(connection: AsyncConnection) -> Fetch:
    async def fetch(*arguments: object) -> Any:
        return (await connection.exec_driver_sql(STATEMENT, arguments)).one_or_none()

    return fetch


async def _post_any(connection: AsyncConnection, payment: Payment, at: datetime) -> Receipt:
    """Go the way of the batch on the same connection; a second one might not be free."""
    await connection.rollback()
    await connection.execution_options(isolation_level="READ COMMITTED")
    try:
        async with connection.begin():
            return (await ledger.post(connection, [payment], at))[0]
    finally:
        await connection.execution_options(isolation_level="AUTOCOMMIT")


async def _post_in_transaction(db: Database, payment: Payment, at: datetime) -> Receipt:
    async with transaction(db) as tx:
        return (await ledger.post(tx, [payment], at))[0]
