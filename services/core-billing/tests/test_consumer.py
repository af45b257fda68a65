"""From the queues into the books: as the bus hands events over, repeated, mixed and at once."""

import asyncio
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update

from core_billing import consumer, topups, watches
from shared import inbox, topology
from shared.db import reading, transaction
from shared.events import Event, PaymentCanceled, PaymentSucceeded, WatchCleared, WatchSet
from shared.inbox import Consumer, Outcome
from shared.outbox import outbox

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROVIDER = "yookassa:100500"


@pytest.fixture
def queues(books: Any) -> tuple[Consumer, Consumer]:
    """The two queues of the service: money, and the rest."""
    return consumer.consumers(books.db, books.core.rules, books.clock)


def succeeded(external_id: str, kopecks: int, *shares: tuple[str, int], **more: Any) -> Event:
    """Return what a gateway says about a payment."""
    body = PaymentSucceeded(
        contract=shares[0][0] if shares else None,
        occurred_at=AT,
        paid_at=AT,
        provider=PROVIDER,
        provider_payment_id=external_id,
        amount_kopecks=kopecks,
        allocations=[{"contract": number, "amount_kopecks": k} for number, k in shares],
        **more,
    )
    return body.event(
        "gateway-yookassa", subject=external_id, revision=external_id, correlation_id="c-1"
    )


def watch_set(number: str, revision: int, threshold: int | None) -> Event:
    """Return what a watcher says about a threshold."""
    said = {"contract": number, "occurred_at": AT, "revision": revision, "watcher": "autopay"}
    body = (
        WatchCleared(**said) if threshold is None else WatchSet(**said, threshold_kopecks=threshold)
    )
    return body.event("autopay", subject=number, revision=revision, correlation_id="w-1")


async def apply(queue: Consumer, *events: Event) -> list[Outcome]:
    """Hand events over as the bus does."""
    results = await inbox.apply(queue, events, lambda: AT)
    return [result.outcome for result in results]


def test_the_queues_are_those_of_the_topology(queues: Sequence[Consumer]) -> None:
    assert [queue.queue for queue in queues] == [topology.MONEY, topology.REST]
    assert all(queue.batch_max == consumer.BATCH_MAX for queue in queues)


async def test_a_payment_arrives_with_everything_that_was_said(books: Any, queues: Any) -> None:
    await books.open("A", "B")
    event = succeeded(
        "p1", 100, ("A", 60), ("B", 40), method="sbp", order_id="o-1", purpose="autopay"
    )
    assert await apply(queues[0], event) == [Outcome.DONE]
    assert await books.balances() == {"A": 60, "B": 40}
    posted = await books.said("payment.posted")
    assert {e["correlationid"] for e in posted} == {"c-1"}
    held = succeeded("p2", 100, ("A", 100), suspense="another_amount")
    assert await apply(queues[0], held) == [Outcome.DONE]
    assert [e["data"]["reason"] for e in await books.said("payment.unmatched")] == [
        "another_amount"
    ]


async def test_an_event_said_again_is_acknowledged_again(books: Any, queues: Any) -> None:
    await books.open("A")
    event = succeeded("p1", 100, ("A", 100))
    await apply(queues[0], event)
    async with transaction(books.db) as tx:
        await tx.execute(update(outbox).values(sent_at=AT))
    assert await apply(queues[0], event, event) == [Outcome.REPEAT, Outcome.REPEAT]
    async with reading(books.db) as tx:
        unsent = select(outbox.c.type).where(outbox.c.sent_at.is_(None))
        assert list((await tx.execute(unsent)).scalars()) == ["payment.posted"]
    assert await books.balances() == {"A": 100}


async def test_a_bad_event_does_not_sink_its_batch(books: Any, queues: Any) -> None:
    await books.open("A")
    good, bad, more = (succeeded(f"p{n}", n, ("A", n)) for n in (1, 2, 3))
    broken = Event(**{**{f: getattr(bad, f) for f in Event.__slots__}, "data": {"amount": "NaN"}})
    outcomes = await apply(queues[0], good, broken, more)
    assert outcomes == [Outcome.DONE, Outcome.POISON, Outcome.DONE]
    assert await books.balances() == {"A": 4}
    assert await apply(queues[0], bad) == [Outcome.DONE]
    assert await books.balances() == {"A": 6}


async def test_a_canceled_order_is_marked_and_moves_nothing(books: Any, queues: Any) -> None:
    await books.open("A")
    async with transaction(books.db) as tx:
        order = await topups.order(tx, "A", 100, AT)
    body = PaymentCanceled(
        occurred_at=AT,
        provider=PROVIDER,
        provider_payment_id="p1",
        amount_kopecks=100,
        allocations=[],
        reason="expired_on_confirmation",
        order_id=str(order.order_id),
    )
    event = body.event("gateway-yookassa", subject="p1", revision="p1", correlation_id="c-1")
    assert await apply(queues[0], event, succeeded("p2", 7, ("A", 7))) == [Outcome.DONE] * 2
    async with reading(books.db) as tx:
        known = await topups.find(tx, UUID(str(order.order_id)))
    assert known.canceled_at == AT
    assert await books.balances() == {"A": 7}


async def test_watches_are_kept_and_judged(books: Any, queues: Any) -> None:
    await books.open(books.asked("A", "500.00"), books.asked("B", "500.00"))
    events = [watch_set("B", 1, 40_000), watch_set("A", 2, 60_000), watch_set("A", 1, None)]
    assert await apply(queues[1], *events) == [Outcome.DONE] * 3
    assert [(e["subject"], e["correlationid"]) for e in await books.said("balance.low")] == [
        ("A", "w-1")
    ]
    await apply(queues[1], watch_set("A", 3, None))
    await books.arrive(books.paid("p1", 90_000, ("A", 90_000)))
    assert await books.said("balance.recovered") == []


async def test_a_watch_for_an_unknown_contract_is_tried_again(books: Any, queues: Any) -> None:
    await books.open(books.asked("A", "500.00"))
    events = (watch_set("A", 1, 60_000), watch_set("nobody", 1, 60_000))
    assert await apply(queues[1], *events) == [Outcome.DONE, Outcome.FAILED]
    assert len(await books.said("balance.low")) == 1
    await books.open(books.asked("nobody", "500.00"))
    assert await apply(queues[1], events[1]) == [Outcome.DONE]
    async with reading(books.db) as tx:
        kept = select(watches.watch).where(watches.watch.c.watcher == "autopay")
        assert len((await tx.execute(kept)).all()) == 2


async def test_eight_at_once_with_the_same_event(books: Any, queues: Any) -> None:
    await books.open("A")
    event = succeeded("p1", 100, ("A", 100))
    outcomes = await asyncio.gather(*(apply(queues[0], event) for _ in range(8)))
    assert sorted(o.value for [o] in outcomes) == ["done"] + ["repeat"] * 7
    assert await books.balances() == {"A": 100}
    assert len(await books.said("payment.posted")) == 1


@pytest.mark.timeout(180)
async def test_eight_at_once_with_the_same_contracts(books: Any, queues: Any) -> None:
    """Batches of eight consumers meet on ten contracts, events and shares in any order."""
    numbers = [f"N{n}" for n in range(10)]
    await books.open(*numbers)
    dice = random.Random(7)
    events = []
    for n in range(160):
        shares = [(number, n + 1) for number in dice.sample(numbers, 1 + n % 3)]
        events.append(succeeded(f"p{n}", len(shares) * (n + 1), *shares))

    async def one_consumer(seed: int) -> list[Outcome]:
        mine = [*events, *events]
        random.Random(seed).shuffle(mine)
        return [o for n in range(0, 320, 20) for o in await apply(queues[0], *mine[n : n + 20])]

    outcomes = await asyncio.gather(*(one_consumer(seed) for seed in range(8)))
    flat = [outcome for one in outcomes for outcome in one]
    assert flat.count(Outcome.DONE) == 160
    assert flat.count(Outcome.REPEAT) == 8 * 320 - 160
    total = sum(event.data["amount_kopecks"] for event in events)
    assert sum((await books.balances()).values()) == total
    report = await books.proof()
    assert (report.faults, report.payments) == ([], 160)
    assert len(await books.said("payment.posted")) == sum(
        len(e.data["allocations"]) for e in events
    )
