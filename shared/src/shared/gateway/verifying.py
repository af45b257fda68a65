"""Differences that the provider's own word can settle: it is asked, and what it says is credited.

A list or a register is no more believed than a callback. What is found only there is fetched, and
the answer goes the way of every answer: `settling.absorb`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

import structlog
from sqlalchemy import or_, select, update

from shared.db import Tx, is_postgres, transaction
from shared.gateway import refund_settling, settling
from shared.gateway.differences import SETTLED, Name, difference
from shared.gateway.gateway import Gateway, pause
from shared.gateway.provider import (
    Failure,
    Kind,
    Missing,
    ProviderPayment,
    ProviderRefund,
    Refused,
    Status,
)
from shared.gateway.refund_settle import Refund
from shared.gateway.refund_settling import Told
from shared.gateway.settle import BEFORE_CUTOVER, Payment
from shared.gateway.settling import Truth
from shared.metrics import alarm
from shared.rows import chosen

ATTEMPTS_MAX: Final = 8
"""With the pauses of a payment nobody has paid yet, about an hour."""

CONFIRMED: Final = "confirmed"
"""The outcome where the provider has confirmed what it was asked about, and it stands here."""
UNKNOWN: Final = "unknown_to_provider"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A difference somebody asks about until the lease runs out."""

    id: int
    token: UUID
    shop: str
    kind: Kind
    provider_id: str
    name: Name
    attempt: int


async def step(gateway: Gateway) -> bool:
    """Take as many differences as there are free hands; return whether more may be due."""
    limit = await gateway.polls.room()
    taken = await claim(gateway, limit)
    for asked in taken:
        gateway.polls.spawn(work(gateway, asked))
    return len(taken) == limit


async def claim(gateway: Gateway, limit: int) -> list[Asked]:
    """Lease differences that are due, oldest first."""
    c, at, token = difference.c, gateway.clock(), uuid4()
    due = (
        select(c.id)
        .where(c.due_at <= at)
        .where(or_(c.leased_until.is_(None), c.leased_until <= at))
        .order_by(c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    until = at + gateway.timing.fetch_lease
    async with transaction(gateway.db) as tx:
        taken = await tx.execute(
            update(difference)
            .where(chosen(is_postgres(tx), c.id, due))
            .values(lease_token=token, leased_until=until, attempts=c.attempts + 1)
            .returning(c.id, c.shop, c.kind, c.provider_id, c.name, c.attempts)
        )
        return [
            Asked(r.id, token, r.shop, Kind(r.kind), r.provider_id, Name(r.name), r.attempts)
            for r in taken
        ]


async def waiting(tx: Tx, at: datetime) -> bool:
    """Say whether a difference is due, or somebody asks about one at this moment."""
    due = select(difference.c.id).where(difference.c.due_at <= at).limit(1)
    return (await tx.execute(due)).first() is not None


async def work(gateway: Gateway, asked: Asked) -> None:
    """Ask the provider about a difference, and settle what it confirms."""
    at = gateway.clock()
    if asked.shop not in gateway.providers:
        alarm("shop_not_configured", provider=asked.shop, id=asked.provider_id)
        await _write(gateway, asked, at + timedelta(hours=1), "shop_not_configured")
        return
    ask = _ask_refund if asked.kind is Kind.REFUND else _ask_payment
    learnt = await ask(gateway, asked)
    if learnt in (CONFIRMED, BEFORE_CUTOVER):
        await _write(gateway, asked, None, str(learnt), state=SETTLED, settled_at=gateway.clock())
        return
    after = pause(gateway.timing.poll, asked.attempt, getattr(learnt, "retry_after", None))
    known = isinstance(learnt, str)
    patient = not known or asked.attempt < ATTEMPTS_MAX
    outcome = str(learnt) if known else type(learnt).__name__.lower()
    await _write(gateway, asked, gateway.clock() + after if patient else None, outcome)
    _complain(asked, learnt, outcome, patient=patient)


async def _ask_payment(gateway: Gateway, asked: Asked) -> str | Failure:
    found = await gateway.providers[asked.shop].fetch(asked.provider_id)
    if not isinstance(found, ProviderPayment):
        return UNKNOWN if isinstance(found, Missing) else found
    async with transaction(gateway.db) as tx:
        told = Truth(asked.shop, found)
        (decision,) = await settling.absorb(tx, gateway, [told], gateway.clock())
    settling.announce(decision)
    return _outcome(None if decision is None else decision.payment)


async def _ask_refund(gateway: Gateway, asked: Asked) -> str | Failure:
    found = await gateway.providers[asked.shop].fetch_refund(asked.provider_id)
    if not isinstance(found, ProviderRefund):
        return UNKNOWN if isinstance(found, Missing) else found
    decision = await refund_settling.settle(gateway, Told(asked.shop, found))
    if isinstance(decision, Failure):
        return decision
    return _outcome(None if decision is None else decision.refund)


def _outcome(known: Payment | Refund | None) -> str:
    """Say what the provider's word makes of it; our own status where that is no success."""
    if known is None:
        return "no_success"
    if known.held is not None:
        return known.held
    return CONFIRMED if known.status is Status.SUCCEEDED else str(known.status)


def _complain(asked: Asked, learnt: str | Failure, outcome: str, *, patient: bool) -> None:
    if isinstance(learnt, Refused) and learnt.ours:
        alarm("provider_refuses_us", provider=asked.shop, code=learnt.code)
    if not patient:
        alarm("difference_unresolved", provider=asked.shop, id=asked.provider_id, outcome=outcome)
    _log.info("difference.open", name=asked.name, id=asked.provider_id, outcome=outcome)


async def _write(
    gateway: Gateway, asked: Asked, due_at: datetime | None, outcome: str, **more: object
) -> None:
    c = difference.c
    mine = update(difference).where(c.id == asked.id, c.lease_token == asked.token)
    released = {"lease_token": None, "leased_until": None}
    async with transaction(gateway.db) as tx:
        await tx.execute(mine.values(due_at=due_at, outcome=outcome, **released, **more))
