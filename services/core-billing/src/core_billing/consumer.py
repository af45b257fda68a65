"""What core-billing hears: confirmed payments on one queue, everything else on another."""

from __future__ import annotations

from collections.abc import Sequence

from core_billing import accounts, payments, topups, watches
from core_billing.drafts import Payment
from core_billing.payments import Arrival
from core_billing.rules import Rules
from core_billing.watches import Setting
from shared import topology
from shared.clock import Clock
from shared.db import Database, Tx
from shared.errors import NotFound, Text
from shared.events import Event, PaymentCanceled, PaymentSucceeded, WatchCleared, WatchSet
from shared.inbox import Consumer

BATCH_MAX = 100
"""Of 50 each costs a quarter more; of 200 two replicas wait for each other's contracts."""

MONEY_PACE_SECONDS = 0.02
"""Somebody waits for this money in front of a page, so it is held up less than anything else."""


def consumers(db: Database, rules: Rules, clock: Clock) -> tuple[Consumer, Consumer]:
    """Return the two queues; money waits behind nothing else."""

    async def take_money(tx: Tx, events: Sequence[Event]) -> None:
        await payments.apply_payments(tx, rules, _arrivals(events), clock())
        canceled = [PaymentCanceled.of(e) for e in events if e.type == PaymentCanceled.TYPE]
        orders = [said.order_id for said in canceled if said.order_id is not None]
        await topups.mark_canceled(tx, orders, clock())

    async def money_again(tx: Tx, events: Sequence[Event]) -> None:
        known = await payments.find_again(tx, _arrivals(events))
        await payments.acknowledge_again(tx, rules, known, clock())

    async def take_rest(tx: Tx, events: Sequence[Event]) -> None:
        await _keep_watches(tx, rules, events, clock)

    return (
        Consumer(
            topology.MONEY,
            db,
            take_money,
            money_again,
            batch_max=BATCH_MAX,
            pace_seconds=MONEY_PACE_SECONDS,
        ),
        Consumer(topology.REST, db, take_rest, batch_max=BATCH_MAX),
    )


def _arrivals(events: Sequence[Event]) -> list[Arrival]:
    """Return the payments among the events; the other type on this queue moves nothing."""
    return [_arrival(event) for event in events if event.type == PaymentSucceeded.TYPE]


def _arrival(event: Event) -> Arrival:
    said = PaymentSucceeded.of(event)
    payment = Payment(
        source=accounts.PAYMENT + said.provider,
        external_id=said.provider_payment_id,
        amount_kopecks=said.amount_kopecks,
        allocations=tuple((part.contract, part.amount_kopecks) for part in said.allocations),
        paid_at=said.paid_at,
        method=said.method,
        order_id=said.order_id,
        suspense=said.suspense,
    )
    return Arrival(payment, event.correlation_id)


async def _keep_watches(tx: Tx, rules: Rules, events: Sequence[Event], clock: Clock) -> None:
    said = [(event, _watch(event)) for event in events]
    wanted = [(event, body) for event, body in said if body is not None]
    kept = await accounts.lock(
        tx, {accounts.of_contract(body.contract or "") for _, body in wanted}
    )
    settings: list[Setting] = []
    touched: dict[int, str] = {}
    for event, body in wanted:
        account = kept.get(accounts.of_contract(body.contract or ""))
        if account is None:
            # Repeated, then kept among the dead letters: the contract may be restored by then.
            raise NotFound(Text("a watch for an unknown contract", "порог неизвестного договора"))
        threshold = body.threshold_kopecks if isinstance(body, WatchSet) else None
        settings.append(
            Setting(account.account_id, body.watcher, body.kind, body.revision, threshold)
        )
        touched[account.account_id] = event.correlation_id
    await watches.put(tx, settings)
    await watches.judge(tx, rules, touched, clock())


def _watch(event: Event) -> WatchSet | WatchCleared | None:
    if event.type == WatchSet.TYPE:
        return WatchSet.of(event)
    if event.type == WatchCleared.TYPE:
        return WatchCleared.of(event)
    return None
