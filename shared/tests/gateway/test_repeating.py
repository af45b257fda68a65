"""A success is said until it is heard."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, update

from shared.clock import ManualClock
from shared.db import transaction
from shared.events import Event, PaymentPosted, PaymentUnmatched
from shared.gateway import work
from shared.inbox import apply
from shared.outbox import outbox

MINUTE = timedelta(minutes=1)


async def _succeeded(stand: Any) -> Any:
    begun = await stand.wish()
    stand.provider.pay(begun.payment.provider_payment_id)
    await stand.callback(begun.payment.provider_payment_id)
    return begun.payment


async def _publish(stand: Any) -> int:
    """Mark what waits in the outbox as sent; return how much that was."""
    async with transaction(stand.gateway.db) as tx:
        waiting = update(outbox).where(outbox.c.sent_at.is_(None))
        return (await tx.execute(waiting.values(sent_at=stand.clock()))).rowcount


def _posted(made: Any, clock: ManualClock, **other: Any) -> Event:
    said = {"provider": made.shop, "provider_payment_id": made.provider_payment_id} | other
    body = PaymentPosted(
        contract="100245",
        occurred_at=clock(),
        payment_id="1",
        amount_kopecks=65_000,
        balance_kopecks=0,
        available_kopecks=0,
        **said,
    )
    return body.event("core-billing", subject="100245", revision="r", correlation_id="corr")


async def _hear(stand: Any, event: Event) -> None:
    consumer = work.consumer(stand.gateway, "gateway-yookassa")
    await apply(consumer, [event], stand.clock)


async def test_it_is_said_again_ever_more_slowly(stand: Any) -> None:
    await _succeeded(stand)
    assert await _publish(stand) == 1
    said = []
    for _ in range(20):
        await stand.pass_time(MINUTE)
        said.append(await _publish(stand))
    moments = [index for index, count in enumerate(said, 1) if count]
    assert moments == [1, 3, 13]
    assert set(said) == {0, 1}


@pytest.mark.parametrize("kind", ["posted", "unmatched"])
async def test_it_stops_once_the_ledger_has_it(stand: Any, kind: str) -> None:
    made = await _succeeded(stand)
    await _publish(stand)
    event = _posted(made, stand.clock)
    if kind == "unmatched":
        body = PaymentUnmatched(
            occurred_at=stand.clock(),
            payment_id="1",
            provider=made.shop,
            provider_payment_id=made.provider_payment_id,
            amount_kopecks=65_000,
            reason="unknown",
        )
        event = body.event("core-billing", subject="s", revision="r", correlation_id="corr")
    await _hear(stand, event)
    row = await stand.row(made.id)
    assert (row.acknowledged_at, row.say_at) == (stand.clock(), None)
    await stand.pass_time(timedelta(days=1))
    assert await _publish(stand) == 0
    assert stand.alarms == []


@pytest.mark.parametrize("other", [{"provider": "yookassa:2"}, {"provider_payment_id": "p"}])
async def test_the_acknowledgement_of_another_payment_is_not_ours(
    stand: Any, other: dict[str, str]
) -> None:
    made = await _succeeded(stand)
    await _hear(stand, _posted(made, stand.clock, **other))
    assert (await stand.row(made.id)).acknowledged_at is None


async def test_what_was_pruned_from_the_outbox_is_said_with_the_same_id_and_data(
    stand: Any,
) -> None:
    await _succeeded(stand)
    (first,) = await stand.said()
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(outbox))
    await stand.pass_time(2 * MINUTE)
    (again,) = await stand.said()
    assert again == first
    assert again.digest() == first.digest()


async def test_an_hour_unheard_is_an_alarm(stand: Any) -> None:
    await _succeeded(stand)
    for _ in range(5):
        await stand.pass_time(11 * MINUTE)
    assert stand.alarms == []
    await stand.pass_time(12 * MINUTE)
    assert stand.alarms == ["success_unacknowledged"]


async def test_two_replicas_say_it_once(stand: Any, make_stand: Any, db: Any) -> None:
    made = await _succeeded(stand)
    await _publish(stand)
    other = make_stand(db, stand.provider)
    stand.clock.advance(2 * MINUTE)
    await stand.settle()
    await other.settle()
    assert (await stand.row(made.id)).says == 2
