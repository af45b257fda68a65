"""Work on bindings: leased, sent or asked about, and what came of it written down.

A provider says when a binding is active, never when it has failed, so each is asked about with
growing pauses until its time is over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import Row, and_, select

from shared import log as logs
from shared import outbox
from shared.db import Tx, transaction
from shared.gateway import charging, due, methods, methods_rules
from shared.gateway.gateway import METHODS, Gateway, pause
from shared.gateway.keeper import Keeper
from shared.gateway.method import MethodStatus, ProviderMethod
from shared.gateway.methods import payment_method
from shared.gateway.methods_rules import Change, Method
from shared.gateway.methods_saving import events_of, sealed
from shared.gateway.provider import Failure, Missing, Refused, Throttled, Unclear
from shared.metrics import alarm

EXPIRED: Final = "expired"
TAKEN: Final = "token_taken"
ASKS_MAX: Final = 12
"""How often an active method is asked about without a clear word, each time somebody claims to know
more of it."""

_log = structlog.get_logger(__name__)

Outcome = ProviderMethod | Missing | Failure | None
"""What the provider has said; None where its shop is not configured any more."""


@dataclass(frozen=True, slots=True)
class Lease:
    """Work on one binding that nobody else does until the lease runs out."""

    method: Method
    token: UUID
    attempt: int
    """How often this was tried, this time included."""
    key: str
    request: bytes
    """As it is stored; `Gateway.unsealed` returns what is sent."""
    sealed: str | None = None
    """The provider's token, once it has given one."""


async def step(gateway: Gateway) -> bool:
    """Take as many due bindings as there are free hands; return whether more may be due."""
    limit = await gateway.bindings.room()
    length = gateway.timing.create_lease
    async with transaction(gateway.db) as tx:
        token, rows = await due.claim(tx, payment_method, gateway.clock(), limit, length)
    for row in rows:
        gateway.bindings.spawn(work(gateway, _lease(row, token)))
    return len(rows) == limit


async def work(gateway: Gateway, lease: Lease) -> None:
    """Send a binding's request, or ask how the binding stands; write down what came of it."""
    method = lease.method
    with logs.bind_correlation(method.correlation_id):
        keeper = gateway.keepers.get(method.shop)
        if keeper is None:
            alarm("shop_not_configured", provider=method.shop, id=str(method.id))
        outcome = None if keeper is None else await _ask(gateway, keeper, lease)
        await _settle(gateway, lease, outcome, gateway.clock())


async def _ask(
    gateway: Gateway, keeper: Keeper, lease: Lease
) -> ProviderMethod | Missing | Failure:
    if lease.sealed is not None:
        return await keeper.kept(gateway.vault.decrypt(lease.sealed))
    return await keeper.bind(lease.key, gateway.unsealed(lease.request))


async def _settle(
    gateway: Gateway,
    lease: Lease,
    outcome: Outcome,
    at: datetime,
) -> None:
    async with transaction(gateway.db) as tx:
        known = await _held(tx, lease)
        if known is None:
            return
        token = _token(gateway, lease, outcome)
        if token and await _taken(tx, gateway, known, outcome):
            change, token = methods_rules.ended(known, TAKEN, at), {}
        elif known.status is MethodStatus.ACTIVE and not isinstance(outcome, ProviderMethod):
            # Only the provider's clear word ends a method that is charged.
            change = _doubted(known, outcome)
        else:
            change = _decide(gateway, known, lease, outcome, at)
        due_at = None
        if _goes_on(lease, change.method, outcome):
            due_at = at + _pause(gateway, lease, outcome)
        free = {"lease_token": None, "leased_until": None, "due_at": due_at}
        await methods.write(tx, change.method, **free, **token)
        await outbox.add(tx, gateway.producer, events_of(gateway, change), at)
    if isinstance(outcome, Refused):
        await charging.refused(gateway, lease.method.shop, outcome, at)
    if due_at is not None:
        gateway.wake(METHODS, due_at - at)


async def _taken(tx: Tx, gateway: Gateway, known: Method, outcome: Outcome) -> bool:
    """Say, aloud, whether another method has the token that is given to this one."""
    if not isinstance(outcome, ProviderMethod):
        return False
    prints = gateway.vault.fingerprints(outcome.token)
    if await methods.holding(tx, known.shop, prints) in (None, known.id):
        return False
    alarm("method_token_taken", provider=known.shop, id=str(known.id))
    return True


async def _held(tx: Tx, lease: Lease) -> Method | None:
    """Lock a binding that is still ours to write."""
    mine = and_(payment_method.c.id == lease.method.id, payment_method.c.lease_token == lease.token)
    row = (await tx.execute(select(payment_method).where(mine).with_for_update())).one_or_none()
    return None if row is None else methods.to_method(row)


def _decide(
    gateway: Gateway,
    known: Method,
    lease: Lease,
    outcome: Outcome,
    at: datetime,
) -> Change:
    if isinstance(outcome, ProviderMethod):
        # The page's address may name the token.
        url = outcome.confirmation_url
        hidden = replace(outcome, confirmation_url=url and gateway.vault.encrypt(url))
        change = methods_rules.told(known, hidden, at)
        if change.method.status is not MethodStatus.PENDING:
            return change
        known = change.method
    elif isinstance(outcome, Refused):
        _log.warning("method.refused", code=outcome.code, detail=outcome.detail[:200])
        if outcome.ours:
            alarm("provider_refuses_us", provider=known.shop, code=outcome.code)
        if lease.attempt == 1:
            return methods_rules.ended(known, outcome.code, at)
    elif isinstance(outcome, Missing):
        alarm("method_vanished", provider=known.shop, id=str(known.id))
        return methods_rules.ended(known, "vanished", at)
    if at - known.created_at >= gateway.timing.binding_term:
        return methods_rules.ended(known, EXPIRED, at)
    return Change(known)


def _goes_on(lease: Lease, method: Method, outcome: Outcome) -> bool:
    """Say whether a method is asked about again: bindings are, active ones after no clear word."""
    if method.status is MethodStatus.ACTIVE:
        return isinstance(outcome, Unclear | Throttled) and lease.attempt < ASKS_MAX
    return method.status in (MethodStatus.CREATING, MethodStatus.PENDING)


def _doubted(known: Method, outcome: Outcome) -> Change:
    if isinstance(outcome, Missing):
        alarm("method_vanished", provider=known.shop, id=str(known.id))
    elif isinstance(outcome, Refused) and outcome.ours:
        alarm("provider_refuses_us", provider=known.shop, code=outcome.code)
    return Change(known)


def _pause(gateway: Gateway, lease: Lease, outcome: Outcome) -> timedelta:
    if isinstance(outcome, ProviderMethod):
        return pause(gateway.timing.poll, lease.attempt)
    asked = getattr(outcome, "retry_after", None)
    return pause(gateway.timing.retry, lease.attempt, asked)


def _token(gateway: Gateway, lease: Lease, outcome: Outcome) -> dict[str, str]:
    new = isinstance(outcome, ProviderMethod) and lease.sealed is None
    return sealed(gateway, outcome.token) if new and isinstance(outcome, ProviderMethod) else {}


def _lease(row: Row[Any], token: UUID) -> Lease:
    return Lease(
        method=methods.to_method(row),
        token=token,
        attempt=row.attempts,
        key=row.key or "",
        request=row.request or b"",
        sealed=row.token,
    )
