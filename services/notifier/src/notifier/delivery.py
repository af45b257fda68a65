"""Sends what is ready: lease, commit, send, mark; no transaction is open while a provider is asked.

A worker may die between sending and marking. Its lease then ends and the message is tried again
under the same key, marked as doubtful: a channel whose provider can be asked first asks whether it
knows the key; elsewhere, also where an e-mail carries the same Message-ID, the message says
afterwards that it may have come twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import structlog

from notifier import gate, leases
from notifier.channels.port import Channel, Held, Outcome, Outgoing, Permanent, Temporary
from notifier.content import unseal
from notifier.gate import DEFAULT_RULES, Rules
from notifier.leases import Leased
from notifier.marking import Attempt, Desk, Marks, Patience
from notifier.reach import DEFAULT_REACHING, Reaching
from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database, transaction
from shared.log import bind_correlation
from shared.metrics import MESSAGES, alarm
from shared.outbox import Producer

__all__ = ["Delivery", "Patience", "step"]

BATCH_MAX: Final = 200

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Delivery:
    """Everything one channel needs to be emptied."""

    db: Database
    vault: Vault
    channel: Channel
    patience: Patience
    clock: Clock
    rules: Rules = DEFAULT_RULES
    reaching: Reaching = DEFAULT_REACHING
    producer: Producer | None = None
    """Says to core what became of messages; without one nobody is told."""

    def desk(self) -> Desk:
        """Return where outcomes are written."""
        return Desk(
            self.db,
            self.vault,
            self.channel.name,
            self.patience,
            self.clock,
            self.rules,
            self.reaching,
            self.producer,
        )


async def step(delivery: Delivery) -> bool:
    """Send one batch of a channel; return whether more may be waiting."""
    parallel = delivery.channel.parallel
    if not parallel:
        return False
    found, batch = await _lease(delivery)
    marks = Marks(delivery.desk())
    free = asyncio.Semaphore(parallel)
    # One that fails must not cancel its neighbours: they would be cut off in the middle of a send.
    results = await asyncio.gather(
        *(_deliver(delivery, leased, free, marks) for leased in batch), return_exceptions=True
    )
    _alarm(delivery, results)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return found


async def _lease(delivery: Delivery) -> tuple[bool, list[Leased]]:
    """Take what may leave now; say also whether anything was due at all."""
    at, name, patience = delivery.clock(), delivery.channel.name, delivery.patience
    async with transaction(delivery.db) as tx:
        room = await leases.room(tx, name, at, patience.per_second)
        rows = await leases.due(tx, name, at, min(room, BATCH_MAX)) if room else []
        verdicts = await gate.look(tx, name, rows, delivery.rules, at)
        until = at + 2 * patience.timeout
        batch = await leases.take(tx, verdicts.leaving, uuid4(), at, until)
        gate.wake(tx, verdicts)
    for dropped in verdicts.dropped:
        MESSAGES.labels(name, "dropped").inc()
        _log.info("message.dropped", message_id=str(dropped["id"]), reason=dropped["reason"])
    return bool(rows), batch


async def _deliver(
    delivery: Delivery, leased: Leased, free: asyncio.Semaphore, marks: Marks
) -> Outcome | None:
    with bind_correlation(leased.correlation_id):
        async with free:
            late = delivery.clock() + delivery.patience.timeout > leased.until
            outcome = None if late else await _send(delivery, leased)
        # Behind the semaphore, so that the next message leaves while this one is written.
        await marks.write(Attempt(leased, outcome))
        return None if isinstance(outcome, Held) else outcome


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
        kind=leased.kind,
        contract=leased.contract,
    )
    try:
        async with asyncio.timeout(delivery.patience.timeout.total_seconds()):
            return await delivery.channel.send(outgoing)
    except TimeoutError:
        return Temporary("no answer in time", unknown=True)
    except Exception as error:
        _log.exception("message.channel_broken", message_id=str(leased.id))
        return Temporary(f"our own fault: {type(error).__name__}", unknown=True, ours=True)


def _alarm(delivery: Delivery, results: Iterable[Outcome | BaseException | None]) -> None:
    """Raise one alarm for each reason that a person must mend, however many messages met it."""
    reasons = [r.reason for r in results if isinstance(r, Temporary | Permanent) and r.ours]
    for reason in sorted(set(reasons)):
        channel = delivery.channel.name
        alarm("channel_refuses_us", channel=channel, reason=reason, count=reasons.count(reason))
