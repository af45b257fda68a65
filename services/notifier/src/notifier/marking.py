"""Writes what became of attempts: many in one transaction where many end at the same time.

Whoever has an outcome waits until it is written. While one transaction commits, further outcomes
gather, and the next one takes them all: a slow channel marks at once, a fast one in groups.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from notifier import leases, reminders, reviewing, turns, unreachable
from notifier.channels.port import Accepted, ChannelName, Held, Outcome, Permanent, Temporary
from notifier.content import unseal
from notifier.deadlines import leaves_from
from notifier.gate import DEFAULT_RULES, Rules
from notifier.kinds import KINDS
from notifier.leases import Leased, Settlement
from notifier.reach import DEFAULT_REACHING, Reaching
from notifier.telling import Told, tell
from notifier.unreachable import Dead
from shared.clock import Clock
from shared.crypto import Vault
from shared.db import Database, Tx
from shared.metrics import MESSAGES, alarm
from shared.outbox import Producer
from shared.repeats import repeated

_ENDED: Final = ("sent", "failed")

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
class Desk:
    """Where outcomes are written, and by which rules."""

    db: Database
    vault: Vault
    channel: ChannelName
    patience: Patience
    clock: Clock
    rules: Rules = DEFAULT_RULES
    reaching: Reaching = DEFAULT_REACHING
    producer: Producer | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message and what its channel has answered; None where it was not tried."""

    leased: Leased
    outcome: Outcome | Held | None


class Marks:
    """The outcomes of one batch on their way into the database."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._waiting: list[Attempt] = []
        self._writing = asyncio.Lock()
        self._broken: Exception | None = None

    async def write(self, attempt: Attempt) -> None:
        """Return when the outcome is written; raises what the database has raised."""
        self._waiting.append(attempt)
        async with self._writing:
            if self._broken is not None:
                raise self._broken
            batch, self._waiting = self._waiting, []
            if batch:
                try:
                    await _write(self._desk, batch)
                except Exception as error:
                    self._broken = error
                    raise


async def _write(desk: Desk, batch: Sequence[Attempt]) -> None:
    at = desk.clock()
    wanted = [_settlement(desk, attempt, at) for attempt in batch]
    by_id = {attempt.leased.id: attempt for attempt in batch}

    async def work(tx: Tx) -> list[Settlement]:
        settled = await leases.settle(tx, wanted)
        stood = [settlement for settlement, _ in settled]
        sent = [s.leased for s, before in settled if (s.state, before) == ("sent", "ready")]
        await reminders.schedule(tx, sent, desk.rules, desk.reaching.channels, at)
        await _follow(tx, desk, stood, by_id, at)
        told = [_told(desk, s) for s in stood if s.state in _ENDED]
        await tell(tx, desk.producer, told, at)
        return stood

    stood = {settlement.leased.id: settlement for settlement in await repeated(desk.db, work)}
    for attempt in batch:
        _report(desk, attempt, stood.get(attempt.leased.id))


async def _follow(
    tx: Tx, desk: Desk, stood: Sequence[Settlement], by_id: dict[Any, Attempt], at: datetime
) -> None:
    """Let other channels take their turn, and keep which addresses are dead or alive."""
    failed = [s.leased for s in stood if s.state == "failed"]
    await turns.call_next(tx, {(one.fact, one.contract, one.kind) for one in failed}, at)
    # A code goes to an address that is nobody's yet: that it arrives says nothing of theirs.
    sent = [s.leased for s in stood if s.state == "sent" and s.leased.kind in KINDS]
    await unreachable.reached(tx, {(one.contract, desk.channel) for one in sent})
    dead = [
        Dead(one.contract, desk.channel, _why_dead(desk.channel), one.id, _address(desk, one))
        for one in failed
        if isinstance(outcome := by_id[one.id].outcome, Permanent) and outcome.dead
    ]
    await reviewing.buried(tx, desk.vault, desk.reaching, dead, at)


def _address(desk: Desk, leased: Leased) -> str:
    return unseal(desk.vault, leased.sealed).to


def _why_dead(channel: str) -> str:
    return "blocked_bot" if channel == "bot" else "dead_address"


def _settlement(desk: Desk, attempt: Attempt, at: datetime) -> Settlement:
    """Return the columns that say what became of an attempt."""
    leased, outcome = attempt.leased, attempt.outcome
    if outcome is None or isinstance(outcome, Held):
        return leases.given_back(leased, at)
    if isinstance(outcome, Accepted):
        return Settlement(
            leased, "sent", None, at, leased.attempt, outcome.perhaps_twice, outcome.id, at
        )
    unknown = isinstance(outcome, Temporary) and outcome.unknown
    # What is sure of this attempt says nothing about an earlier one.
    doubtful = unknown or leased.doubtful
    attempts, last = leased.attempt, leased.attempt >= desk.patience.attempts_max
    pause = timedelta(0)
    if isinstance(outcome, Temporary):
        pause = outcome.after or pause
        if outcome.channel and not unknown:
            # Nobody is to blame among the messages: the breaker says when the channel is tried.
            attempts, last = attempts - 1, False
    if isinstance(outcome, Permanent) or last:
        return Settlement(leased, "failed", outcome.reason, at, attempts, doubtful, done_at=at)
    delays = desk.patience.delays
    pause = max(delays[min(leased.attempt, len(delays)) - 1], pause)
    due_at = leaves_from(desk.rules.quiet, leased.zone, leased.kind, leased.facts, at + pause)
    return Settlement(leased, "ready", outcome.reason, due_at, attempts, doubtful)


def _told(desk: Desk, settlement: Settlement) -> Told:
    leased = settlement.leased
    reason = (settlement.reason or "failed") if settlement.state == "failed" else None
    return Told(
        leased.id,
        leased.contract,
        desk.channel,
        leased.kind,
        leased.event_id,
        leased.correlation_id,
        reason,
    )


def _report(desk: Desk, attempt: Attempt, settlement: Settlement | None) -> None:
    leased, outcome = attempt.leased, attempt.outcome
    if outcome is None or isinstance(outcome, Held):
        return
    what = {
        "message_id": str(leased.id),
        "contract": leased.contract,
        "about": leased.kind,
        "channel": desk.channel,
        "attempt": leased.attempt,
        "correlation_id": leased.correlation_id,
    }
    if settlement is None:
        _log.warning("message.lease_lost", outcome=type(outcome).__name__, **what)
        return
    state = settlement.state if settlement.state in _ENDED else "retried"
    MESSAGES.labels(desk.channel, state).inc()
    if isinstance(outcome, Accepted):
        _log.info("message.sent", provider_id=outcome.id, **what)
        return
    _log.warning(f"message.{state}", reason=outcome.reason, **what)
    if state == "failed" and isinstance(outcome, Temporary):
        alarm("message_given_up", reason=outcome.reason, **what)
