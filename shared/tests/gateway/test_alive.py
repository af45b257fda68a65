"""Signs of life, and payments that their payers have confirmed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from shared.db import reading, transaction
from shared.gateway import alive
from shared.gateway.callbacks import callback
from shared.gateway.payments import payment
from shared.gateway.provider import Status, Unclear
from shared.outbox import outbox, pauses_before

MINUTE = timedelta(minutes=1)


async def measured(stand: Any) -> tuple[int, int]:
    async with reading(stand.gateway.db) as tx:
        body = await alive.measured(tx, "gateway-yookassa", stand.clock())
    return body.unsettled_seconds, body.unpublished_seconds


async def test_an_idle_gateway_is_not_behind(stand: Any) -> None:
    assert await measured(stand) == (0, 0)
    await stand.wish()
    assert await measured(stand) == (0, 0)


async def test_it_is_as_far_behind_as_its_oldest_payment_is_due(stand: Any) -> None:
    begun = await stand.wish()
    due_at = (await stand.row(begun.payment.id)).due_at
    stand.clock.advance(due_at - stand.clock() + 7 * MINUTE)
    assert await measured(stand) == (420, 0)
    await stand.settle()
    assert await measured(stand) == (0, 0)


async def test_what_the_provider_does_not_answer_for_grows_older(stand: Any) -> None:
    begun, other = await stand.wish(), await stand.wish()
    await stand.pass_time(MINUTE)
    asked = [(await stand.row(one.payment.id)).attempts for one in (begun, other)]
    for _ in range(5):  # not paid yet, but the provider says so each time
        await stand.pass_time(MINUTE)
        assert await measured(stand) == (0, 0)
    assert (await stand.row(begun.payment.id)).attempts > asked[0]
    stand.provider.fetches = [Unclear("timeout")] * 999
    await stand.pass_time(2 * MINUTE)
    for minutes in range(1, 30):
        await stand.pass_time(MINUTE)
        assert (await measured(stand))[0] == minutes * 60
    stand.provider.fetches = []
    await stand.pass_time(2 * MINUTE)
    assert await measured(stand) == (0, 0)
    stand.provider.fetches = [Unclear("timeout")] * 999
    await stand.pass_time(2 * MINUTE)
    assert (await measured(stand))[0] == 0


async def test_a_capture_is_as_old_as_it_is_however_often_it_was_tried(stand: Any) -> None:
    begun = await stand.wish()
    stand.provider.captures = [Unclear("timeout")] * 99
    stand.provider.change(begun.payment.provider_payment_id, on_hold=True)
    await stand.callback(begun.payment.provider_payment_id, claims=Status.PENDING)
    for _ in range(6):
        await stand.pass_time(MINUTE)
    assert (await measured(stand))[0] == 360


async def test_a_callback_is_as_old_as_it_is_however_often_it_was_asked_about(stand: Any) -> None:
    begun = await stand.wish()
    stand.provider.fetches = [Unclear("timeout")] * 99
    await stand.callback(begun.payment.provider_payment_id)
    for _ in range(6):
        await stand.pass_time(MINUTE)
    assert (await measured(stand))[0] == 360
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(update(callback).values(known=False))
        await tx.execute(update(payment).values(due_at=None))
    assert await measured(stand) == (0, 0)


async def test_what_has_not_reached_the_bus_is_counted_with_its_pauses(stand: Any) -> None:
    await stand.paid()
    stand.clock.advance(timedelta(seconds=40))
    assert (await measured(stand))[1] == 40
    due_at = stand.clock() - timedelta(seconds=2)
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(update(outbox).values(attempts=9, due_at=due_at))
    assert (await measured(stand))[1] == 325
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(update(outbox).values(type="payment_method.saved"))
    assert (await measured(stand))[1] == 0


def test_pauses_add_up() -> None:
    assert [pauses_before(n).total_seconds() for n in (0, 1, 2, 5, 7)] == [0, 1, 3, 83, 203]


async def test_it_says_so_each_time_the_last_one_has_left(stand: Any) -> None:
    for _ in range(3):
        await alive.step(stand.gateway)
        stand.clock.advance(MINUTE)
    (said,) = await stand.said("gateway.alive")
    assert said.data["gateway"] == stand.gateway.service
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(update(outbox).values(sent_at=stand.clock()))
    await alive.step(stand.gateway)
    assert len({event.id for event in await stand.said("gateway.alive")}) == 2
    assert stand.alarms == []


@pytest.mark.parametrize("how", [{"confirmed": True}, {"on_hold": True}])
async def test_a_confirmed_payment_is_said_once(stand: Any, how: dict[str, Any]) -> None:
    begun = await stand.wish()
    provider_id = begun.payment.provider_payment_id
    stand.provider.captures = [Unclear("timeout")] * 5
    stand.provider.change(provider_id, **how)
    for _ in range(3):
        await stand.callback(provider_id, claims=Status.PENDING, event=f"e-{uuid4()}")
        await stand.pass_time(timedelta(seconds=3))
    (said,) = await stand.said("payment.pending")
    assert (said.data["contract"], said.data["amount_kopecks"]) == ("100245", 65_000)
    assert said.data["provider_payment_id"] == provider_id
    assert (await stand.payment(begun.payment.id)).confirmed_at is not None
    stand.provider.pay(provider_id)
    await stand.callback(provider_id)
    assert len(await stand.said("payment.succeeded")) == 1


@pytest.mark.parametrize("how", [{"test": True}, {"shop": "yookassa:999"}, {"currency": "USD"}])
async def test_what_is_not_ours_to_credit_is_not_said(stand: Any, how: dict[str, Any]) -> None:
    begun = await stand.wish()
    stand.provider.change(begun.payment.provider_payment_id, confirmed=True, **how)
    await stand.callback(begun.payment.provider_payment_id, claims=Status.PENDING)
    assert await stand.said("payment.pending") == []
    assert (await stand.payment(begun.payment.id)).confirmed_at is None
