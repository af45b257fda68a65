"""Payments that their payers have confirmed and whose outcome is open: they postpone a block.

Kept as the gateways say them. Whether one is still open is asked when somebody is to be blocked:
one that is in the ledger, or that was said too long ago, postpones nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Column, Index, Integer, Table, Text, delete, func, or_, select, tuple_

from core_billing import accounts
from core_billing.accounts import account, source
from core_billing.postings import payment, posting
from shared.db import Database, Instant, Tx, metadata, transaction
from shared.events import Event, PaymentCanceled
from shared.events_billing import PaymentPending
from shared.rows import among, insert_new

POSTPONES: Final = timedelta(minutes=30)
KEPT: Final = timedelta(days=1)
PRUNE_MAX: Final = 10_000

schema = metadata()
pending = Table(
    "pending_payment",
    schema,
    Column("source", Text, primary_key=True),
    Column("external_id", Text, primary_key=True),
    Column("contract_id", Integer, primary_key=True, autoincrement=False),
    Column("heard_at", Instant, nullable=False),
)
Index("ix_pending_payment_contract_id", pending.c.contract_id, pending.c.heard_at)
Index("ix_pending_payment_heard_at", pending.c.heard_at)


async def hear(tx: Tx, events: Sequence[Event], at: datetime) -> None:
    """Keep the pending payments among the events, and forget those that were canceled."""
    said = [PaymentPending.of(event) for event in events if event.type == PaymentPending.TYPE]
    over = [PaymentCanceled.of(event) for event in events if event.type == PaymentCanceled.TYPE]
    if said:
        await _keep(tx, said, at)
    gone = {
        (accounts.PAYMENT + one.provider, one.provider_payment_id)
        for one in over
        if one.provider_payment_id is not None
    }
    if gone:
        key = tuple_(pending.c.source, pending.c.external_id)
        await tx.execute(delete(pending).where(key.in_(sorted(gone))))


async def _keep(tx: Tx, said: Sequence[PaymentPending], at: datetime) -> None:
    names = {accounts.of_contract(part.contract) for one in said for part in one.allocations}
    found = await tx.execute(select(account).where(among(tx, account.c.name, names)))
    ids = {accounts.number_of(row.name): row.id for row in found}
    rows = {
        (one.provider, one.provider_payment_id, ids[part.contract]): {
            "source": accounts.PAYMENT + one.provider,
            "external_id": one.provider_payment_id,
            "contract_id": ids[part.contract],
            "heard_at": at,
        }
        for one in said
        for part in one.allocations
        if part.contract in ids
    }
    await insert_new(tx, pending, list(rows.values()), "contract_id")


async def open_since(tx: Tx, contract_ids: Collection[int], at: datetime) -> dict[int, datetime]:
    """Return when the newest payment still open was heard of, for those contracts with one."""
    c = pending.c
    posted = (
        select(payment.c.id)
        .join(source, source.c.id == payment.c.source_id)
        .where(source.c.name == c.source, payment.c.external_id == c.external_id)
    )
    mine = (among(tx, c.contract_id, contract_ids), c.heard_at > at - POSTPONES)
    newest = select(c.contract_id, func.max(c.heard_at).label("heard_at")).where(
        *mine, ~posted.exists()
    )
    rows = await tx.execute(newest.group_by(c.contract_id))
    return {row.contract_id: row.heard_at for row in rows}


async def settled(tx: Tx, since: dict[int, datetime]) -> set[int]:
    """Return those contracts that a payment from outside has reached since their moment."""
    if not since:
        return set()
    real = or_(*(source.c.name.startswith(prefix) for prefix in accounts.REAL))
    columns = (
        select(posting.c.credit_id, func.max(payment.c.registered_at).label("last"))
        .join(payment, payment.c.id == posting.c.payment_id)
        .join(source, source.c.id == payment.c.source_id)
        .where(among(tx, posting.c.credit_id, since), posting.c.credit_balance.is_not(None))
        .where(payment.c.registered_at > min(since.values()), real)
        .group_by(posting.c.credit_id)
    )
    return {row.credit_id for row in await tx.execute(columns) if row.last > since[row.credit_id]}


async def prune(db: Database, at: datetime) -> int:
    """Forget what was heard a day ago, at most 10 000 rows; return how many."""
    c = pending.c
    key = (c.source, c.external_id, c.contract_id)
    old = select(*key).where(c.heard_at < at - KEPT).limit(PRUNE_MAX)
    async with transaction(db) as tx:
        return (await tx.execute(delete(pending).where(tuple_(*key).in_(old)))).rowcount
