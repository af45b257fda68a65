"""What becomes of stored callbacks: the provider is asked, its answer is settled.

Two lanes. Callbacks about payments we know are worked on at once, many at a time. All others, real
ones after a restored backup and forged ones alike, get one question a second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import structlog

from shared.db import reading, transaction
from shared.gateway import callbacks, claims, early, refund_callbacks
from shared.gateway.claims import Claimed, Progress
from shared.gateway.gateway import CALLBACKS, Gateway, pause
from shared.gateway.provider import (
    Failure,
    Kind,
    Missing,
    ProviderPayment,
    Refused,
    Status,
    Unclear,
    tries,
)
from shared.gateway.settle import Decision
from shared.gateway.settling import Truth, absorb, announce
from shared.metrics import CALLBACKS as COUNTED
from shared.metrics import alarm

PACE_SECONDS: Final = 0.02
FOREIGN_EVERY_SECONDS: Final = 1.0
ATTEMPTS_MAX: Final = 500
"""With pauses of ten minutes more than three days; the payment itself is polled all the same."""

Question = Callable[[Gateway, Claimed], Awaitable[str | Missing | Failure | None]]
"""Asks about what is no payment and settles it: the outcome, or why there is none; None where the
answer knows less than the callback."""

_QUESTIONS: Final[Mapping[Kind, Question]] = {Kind.REFUND: refund_callbacks.ask}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What the provider has answered about a callback's payment."""

    claimed: Claimed
    payment: ProviderPayment


async def step(gateway: Gateway) -> bool:
    """Take as many callbacks about known payments as there are free hands."""
    limit = await gateway.callbacks.room()
    taken = await _claim(gateway, limit, known=True)
    for claimed in taken:
        gateway.callbacks.spawn(work(gateway, claimed))
    return len(taken) == limit


async def foreign_step(gateway: Gateway) -> bool:
    """Take one callback about an unknown payment; the next one waits a second."""
    for claimed in await _claim(gateway, 1, known=False):
        await work(gateway, claimed)
    return False


async def work(gateway: Gateway, claimed: Claimed) -> None:
    """Ask the provider what a callback is about, and settle that."""
    claimed = await _placed(gateway, claimed)
    provider = gateway.providers.get(claimed.shop)
    if provider is None or claimed.attempt > ATTEMPTS_MAX:
        outcome = "given_up" if provider else "shop_not_configured"
        alarm(f"callback_{outcome}", provider=claimed.shop, id=claimed.provider_payment_id)
        await _finish(gateway, claimed, outcome)
        return
    found: ProviderPayment | str | Missing | Failure | None
    if claimed.kind is Kind.PAYMENT:
        found = await provider.fetch(claimed.provider_payment_id)
    else:
        found = await _QUESTIONS[claimed.kind](gateway, claimed)
    at = gateway.clock()
    if isinstance(found, ProviderPayment):
        after = await _early(gateway, claimed, found)
        if after is not None:
            await _postpone(gateway, claimed, at, after)
            return
        await gateway.answers.put(Answer(claimed, found), partial(settle, gateway))
    elif isinstance(found, str):
        await _finish(gateway, claimed, found)
    elif isinstance(found, Missing):
        await _forged(gateway, claimed, at)
    elif found is None:
        await _behind(gateway, claimed, at)
    else:
        await _not_fetched(gateway, claimed, found, at)


async def _placed(gateway: Gateway, claimed: Claimed) -> Claimed:
    """Return it with the shop that has the payment, where it named another or none."""
    if len(gateway.providers) == 1:
        return claimed
    async with reading(gateway.db) as tx:
        shop = await callbacks.shop_of(tx, claimed.id, list(gateway.providers))
    return claimed if shop is None else replace(claimed, shop=shop, known=True)


async def settle(gateway: Gateway, answers: Sequence[Answer]) -> None:
    """Write down what the provider said of callbacks' payments, in one transaction."""
    at = gateway.clock()
    # In one order for everybody: two replicas may work on two callbacks about one payment.
    ordered = sorted(answers, key=lambda answer: answer.claimed.provider_payment_id)
    async with transaction(gateway.db) as tx:
        truths = [Truth(answer.claimed.shop, answer.payment) for answer in ordered]
        decisions = await absorb(tx, gateway, truths, at)
        progress = [
            _progress(gateway, answer, decision, at)
            for answer, decision in zip(ordered, decisions, strict=True)
        ]
        await claims.record(tx, progress)
    for decision, one in zip(decisions, progress, strict=True):
        announce(decision)
        if one.due_at is not None:
            gateway.wake(CALLBACKS, one.due_at - at)


def _progress(
    gateway: Gateway, answer: Answer, decision: Decision | None, at: datetime
) -> Progress:
    # A copy of the provider's data may lag behind its own callback: ask again, soon.
    claimed, status = answer.claimed, answer.payment.status
    behind = status is Status.PENDING and claimed.claims.rank > Status.PENDING.rank
    after = _patience(gateway, claimed) if behind else None
    if after is not None:
        return Progress(claimed, due_at=at + after)
    return Progress(claimed, _outcome(decision, behind=behind))


async def _early(gateway: Gateway, claimed: Claimed, found: ProviderPayment) -> timedelta | None:
    """How long a success that may be ours waits for its request to be answered; None for no more.

    Whoever came first would take it for nobody's, and our own row would never be bound to it.
    """
    if found.payment_id is not None or found.status is not Status.SUCCEEDED:
        return None
    async with reading(gateway.db) as tx:
        awaited = await early.awaited(tx, claimed.shop, found)
    return _patience(gateway, claimed) if awaited else None


async def _behind(gateway: Gateway, claimed: Claimed, at: datetime) -> None:
    after = _patience(gateway, claimed)
    if after is None:
        await _finish(gateway, claimed, "stale")
    else:
        await _postpone(gateway, claimed, at, after)


async def _not_fetched(gateway: Gateway, claimed: Claimed, failure: Failure, at: datetime) -> None:
    if isinstance(failure, Refused) and not (claimed.known or failure.locked_out):
        # Some answer so where they have no such id: nobody here need be woken for it.
        await _disowned(gateway, claimed, at, _patience(gateway, claimed))
        return
    if isinstance(failure, Refused) and failure.ours:
        alarm("provider_refuses_us", provider=claimed.shop, code=failure.code)
    why = failure.reason if isinstance(failure, Unclear) else type(failure).__name__.lower()
    _log.warning("callback.not_fetched", reason=why, attempt=claimed.attempt)
    asked = None if isinstance(failure, Refused) else failure.retry_after
    after = pause(gateway.timing.retry, claimed.attempt, asked)
    await _postpone(gateway, claimed, at, after, tries(failure, claimed.attempt))


async def _forged(gateway: Gateway, claimed: Claimed, at: datetime) -> None:
    after = _patience(gateway, claimed) if claimed.known else None
    await _disowned(gateway, claimed, at, after)


async def _disowned(
    gateway: Gateway, claimed: Claimed, at: datetime, after: timedelta | None
) -> None:
    """Ask again where there is a pause left; without one nobody has ever made this id."""
    if after is not None:
        await _postpone(gateway, claimed, at, after)
        return
    COUNTED.labels(gateway.service, "forged").inc()
    _log.warning("callback.forged", provider_payment_id=claimed.provider_payment_id)
    await _finish(gateway, claimed, "forged")


def _patience(gateway: Gateway, claimed: Claimed) -> timedelta | None:
    """How long to wait before asking again; None where that was done often enough."""
    pauses = (*gateway.timing.stale, *gateway.timing.poll)
    return None if claimed.attempt > len(pauses) else pause(pauses, claimed.attempt)


def _outcome(decision: Decision | None, *, behind: bool) -> str:
    if behind:
        return "stale"
    return "nothing" if decision is None else str(decision.payment.status)


async def _claim(gateway: Gateway, limit: int, *, known: bool) -> list[Claimed]:
    lease = gateway.timing.fetch_lease
    async with transaction(gateway.db) as tx:
        return await claims.claim(tx, gateway.clock(), limit, lease, known=known)


async def _finish(gateway: Gateway, claimed: Claimed, outcome: str) -> None:
    async with transaction(gateway.db) as tx:
        await claims.record(tx, [Progress(claimed, outcome)])


async def _postpone(
    gateway: Gateway, claimed: Claimed, at: datetime, after: timedelta, attempts: int | None = None
) -> None:
    async with transaction(gateway.db) as tx:
        await claims.record(tx, [Progress(claimed, due_at=at + after, attempts=attempts)])
    gateway.wake(CALLBACKS, after)
