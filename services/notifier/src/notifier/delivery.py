"""Sends what is ready: lease, commit, send, mark; no transaction is open while a provider is asked.

A worker may die between sending and marking. Its lease then ends and the message is tried again
under the same key, marked as doubtful: the SMS channel first asks the provider whether it knows
the key, an e-mail carries the same Message-ID.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import structlog

from notifier import leases
from notifier.channels.port import (
    Accepted,
    Channel,
    Held,
    Outcome,
    Outgoing,
    Permanent,
    Temporary,
)
from notifier.content import unseal
from notifier.leases import Leased
from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database, transaction
from shared.log import bind_correlation
from shared.metrics import MESSAGES, alarm

BATCH_MAX: Final = 50

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Patience:
    """How often, how fast and how long a channel tries."""

    attempts_max: int
    delays: tuple[timedelta, ...]
    """Pauses after failed attempts; the last one repeats."""
    timeout: timedelta
    """For one attempt; a lease lasts twice as long."""
    per_second: int


@dataclass(frozen=True)
class Delivery:
    """Everything one channel needs to be emptied."""

    db: Database
    vault: Vault
    channel: Channel
    patience: Patience
    clock: Clock


async def step(delivery: Delivery) -> bool:
    """Send one batch of a channel; return whether more may be waiting."""
    at = delivery.clock()
    patience = delivery.patience
    parallel = delivery.channel.parallel
    if not parallel:
        return False
    async with transaction(delivery.db) as tx:
        batch = await leases.lease(
            tx,
            delivery.channel.name,
            uuid4(),
            at,
            until=at + 2 * patience.timeout,
            per_second=patience.per_second,
            limit=BATCH_MAX,
        )
    gate = asyncio.Semaphore(parallel)
    # One that fails must not cancel its neighbours: they would be cut off in the middle of a send.
    results = await asyncio.gather(
        *(_deliver(delivery, leased, gate) for leased in batch), return_exceptions=True
    )
    _alarm(delivery, results)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return bool(batch)


async def _deliver(delivery: Delivery, leased: Leased, gate: asyncio.Semaphore) -> Outcome | None:
    async with gate:
        with bind_correlation(leased.correlation_id):
            if delivery.clock() + delivery.patience.timeout > leased.until:
                async with transaction(delivery.db) as tx:
                    await leases.give_back(tx, [leased])
                return None
            outcome = await _send(delivery, leased)
            if isinstance(outcome, Held):
                async with transaction(delivery.db) as tx:
                    await leases.give_back(tx, [leased])
                return None
            await _mark(delivery, leased, outcome)
            return outcome


async def _send(delivery: Delivery, leased: Leased) -> Outcome | Held:
    try:
        content = unseal(delivery.vault, leased.sealed)
    except ValueError:
        return Temporary("no listed key reads this message", ours=True)
    outgoing = Outgoing(
        key=leased.id,
        content=content,
        correlation_id=leased.correlation_id,
        created_at=leased.created_at,
        doubtful=leased.doubtful,
    )
    try:
        async with asyncio.timeout(delivery.patience.timeout.total_seconds()):
            return await delivery.channel.send(outgoing)
    except TimeoutError:
        return Temporary("no answer in time", unknown=True)
    except Exception as error:
        _log.exception("message.channel_broken", message_id=str(leased.id))
        return Temporary(f"our own fault: {type(error).__name__}", unknown=True, ours=True)


async def _mark(delivery: Delivery, leased: Leased, outcome: Outcome) -> None:
    values = _values(delivery, leased, outcome)
    async with transaction(delivery.db) as tx:
        stood = await leases.settle(tx, leased, **values)
    what = {
        "message_id": str(leased.id),
        "contract": leased.contract,
        "about": leased.kind,
        "channel": delivery.channel.name,
        "attempt": leased.attempt,
    }
    if not stood:
        _log.warning("message.lease_lost", outcome=type(outcome).__name__, **what)
        return
    state = values.get("state", "retried")
    MESSAGES.labels(delivery.channel.name, state).inc()
    if isinstance(outcome, Accepted):
        _log.info("message.sent", provider_id=outcome.id, **what)
    else:
        _log.warning(f"message.{state}", reason=outcome.reason, **what)
        if state == "failed" and isinstance(outcome, Temporary):
            alarm("message_given_up", reason=outcome.reason, **what)


def _values(delivery: Delivery, leased: Leased, outcome: Outcome) -> dict[str, Any]:
    """Return the columns that say what became of an attempt."""
    at = delivery.clock()
    if isinstance(outcome, Accepted):
        sent = {"state": "sent", "provider_id": outcome.id, "reason": None}
        return {**sent, "doubtful": outcome.perhaps_twice, "done_at": at}
    doubtful = isinstance(outcome, Temporary) and outcome.unknown
    values: dict[str, Any] = {"reason": outcome.reason, "doubtful": doubtful}
    if isinstance(outcome, Temporary) and outcome.channel and not doubtful:
        # Nobody is to blame among the messages: the breaker says when the channel is tried again.
        values["attempts"] = leased.attempt - 1
    elif isinstance(outcome, Permanent) or leased.attempt >= delivery.patience.attempts_max:
        return {**values, "state": "failed", "done_at": at}
    delays = delivery.patience.delays
    pause = max(delays[min(leased.attempt, len(delays)) - 1], outcome.after or timedelta(0))
    return {**values, "due_at": at + pause}


def _alarm(delivery: Delivery, results: Iterable[Outcome | BaseException | None]) -> None:
    """Raise one alarm for each reason that a person must mend, however many messages met it."""
    reasons = [r.reason for r in results if isinstance(r, Temporary | Permanent) and r.ours]
    for reason in sorted(set(reasons)):
        channel = delivery.channel.name
        alarm("channel_refuses_us", channel=channel, reason=reason, count=reasons.count(reason))
