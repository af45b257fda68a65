"""What the ledger asks for over the bus, what it is answered, and how long it is told."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import delete, update

from shared.db import transaction
from shared.events import Event
from shared.events_gateway import RefundPosted, RefundRequested
from shared.gateway import payments, refunds
from shared.gateway.provider import Refused, Status, Unclear
from shared.inbox import Outcome
from shared.outbox import outbox

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


def _request(paid: Any, amount: int = 15_000, refund_id: str = "core-1", **other: Any) -> Event:
    said = {
        "provider": paid.shop,
        "provider_payment_id": paid.provider_payment_id,
        "occurred_at": paid.created_at,
        "reason": "moved away",
    }
    body = RefundRequested(
        contract="100245",
        refund_id=refund_id,
        amount_kopecks=amount,
        **{**said, **other},
    )
    return body.event("core-billing", subject=refund_id, revision="1", correlation_id="core-corr")


async def _publish(stand: Any) -> int:
    """Mark what waits in the outbox as sent; return how much that was."""
    async with transaction(stand.gateway.db) as tx:
        waiting = update(outbox).where(outbox.c.sent_at.is_(None))
        return (await tx.execute(waiting.values(sent_at=stand.clock()))).rowcount


async def test_a_request_is_sent_by_the_loop_and_answered(stand: Any) -> None:
    paid = await stand.paid()
    (result,) = await stand.hear(_request(paid))
    assert result.outcome is Outcome.DONE
    assert await stand.reserved(paid) == 15_000
    assert stand.provider.refunds_sent == [], "nothing is sent inside the transaction"
    await stand.settle()
    (row,) = await stand.rows(refunds.refund)
    assert (row.status, row.asked_by, row.correlation_id) == (
        "succeeded",
        "core-billing",
        "core-corr",
    )
    (event,) = await stand.said("refund.succeeded")
    assert event.data["refund_id"] == "core-1"
    assert event.correlation_id == "core-corr"


async def test_a_request_that_comes_again_is_one_refund(stand: Any) -> None:
    paid = await stand.paid()
    await stand.hear(_request(paid))
    again = replace(_request(paid), id=uuid4())
    await stand.hear(_request(paid), again)
    await stand.settle()
    assert len(stand.provider.refunds_sent) == 1
    assert await stand.reserved(paid) == 15_000


async def test_the_bus_and_the_address_obey_one_reservation(stand: Any) -> None:
    paid = await stand.paid()
    outcomes = await asyncio.gather(
        stand.hear(_request(paid, 40_000)), stand.ask(paid, 40_000), return_exceptions=True
    )
    await stand.settle()
    assert len(stand.provider.refunds_sent) == 1
    assert await stand.reserved(paid) == 40_000
    refused = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    failed = await stand.said("refund.failed")
    assert len(refused) + len(failed) == 1


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("above", "exceeds_rest"),
        ("returned", "payment_returned"),
        ("pending", "payment_not_succeeded"),
        ("canceled", "payment_canceled"),
        ("unknown", "payment_unknown"),
    ],
)
async def test_what_cannot_be_is_refused_once_and_for_all(
    stand: Any, case: str, reason: str
) -> None:
    paid, amount, other = (await stand.wish()).payment, 15_000, {}
    if case in ("above", "returned"):
        paid = await stand.paid()
        await stand.ask(paid, 65_000 if case == "returned" else 60_000)
    elif case == "canceled":
        stand.provider.cancel(paid.provider_payment_id)
        await stand.callback(paid.provider_payment_id, claims=Status.CANCELED)
    elif case == "unknown":
        other = {"provider_payment_id": "not-ours"}
    request = _request(paid, amount, **other)
    before = len(stand.provider.refunds_sent)
    await stand.hear(request)
    (event,) = await stand.said("refund.failed")
    assert (event.data["refund_id"], event.data["reason"]) == ("core-1", reason)
    assert event.data["provider_payment_id"] == request.data["provider_payment_id"]
    assert stand.alarms == ["refund_request_refused"]
    await stand.pass_time(MINUTE)
    assert len(stand.provider.refunds_sent) == before
    if case == "pending":
        stand.provider.pay(paid.provider_payment_id)
        await stand.callback(paid.provider_payment_id)
    await stand.hear(request)
    await stand.hear(replace(request, id=uuid4()))
    await stand.pass_time(MINUTE)
    assert len(stand.provider.refunds_sent) == before, "no stays no"
    assert len(await stand.said("refund.failed")) == 1


async def test_the_providers_refusal_is_said_to_the_ledger(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = [Refused("invalid_request")]
    await stand.hear(_request(paid))
    await stand.settle()
    (event,) = await stand.said("refund.failed")
    assert event.data["refund_id"] == "core-1"
    assert await stand.reserved(paid) == 0


@pytest.mark.parametrize("end", [Status.SUCCEEDED, Status.CANCELED])
async def test_whoever_asks_again_is_answered_again(stand: Any, end: Status) -> None:
    paid = await stand.paid()
    stand.provider.refund_ends = [end]
    await stand.hear(_request(paid))
    await stand.settle()
    await _publish(stand)
    await stand.hear(_request(paid))
    assert await _publish(stand) == 1
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(outbox))
    await stand.hear(_request(paid))
    kind = "refund.succeeded" if end is Status.SUCCEEDED else "refund.failed"
    (event,) = await stand.said(kind)
    assert event.data["refund_id"] == "core-1"


async def test_the_same_request_for_another_payment_is_poison(stand: Any) -> None:
    paid, other = await stand.paid(), await stand.paid()
    await stand.hear(_request(paid))
    twisted = replace(_request(other), id=uuid4())
    (result,) = await stand.hear(twisted)
    assert result.outcome is Outcome.POISON
    assert [await stand.reserved(one) for one in (paid, other)] == [15_000, 0]


async def test_the_request_of_another_gateway_is_left_alone(stand: Any) -> None:
    paid = await stand.paid()
    foreign = _request(paid, provider="raiffeisen:MA1", provider_payment_id="qr-1")
    (result,) = await stand.hear(foreign)
    assert result.outcome is Outcome.DONE
    assert await stand.rows(refunds.refund) == []
    assert await stand.said("refund.failed") == []


async def test_a_shop_that_is_gone_from_the_settings_is_refused(
    stand: Any, make_stand: Any, make_provider: Any, db: Any
) -> None:
    paid = await stand.paid()
    other = make_stand(db, make_provider(shop="yookassa:7"))
    await other.hear(_request(paid))
    (event,) = await stand.said("refund.failed")
    assert event.data["reason"] == "shop_not_configured"


async def test_an_unknown_payment_of_a_shop_that_is_not_configured_is_refused(stand: Any) -> None:
    paid = await stand.paid()
    foreign = {"provider": "yookassa:7", "provider_payment_id": "not-ours"}
    await stand.hear(_request(paid, **foreign))
    (event,) = await stand.said("refund.failed")
    assert (event.data["refund_id"], event.data["reason"]) == ("core-1", "shop_not_configured")


async def _restore(stand: Any) -> None:
    """Put the gateway back to before it heard of any refund."""
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(refunds.refund))
        await tx.execute(update(payments.payment).values(reserved_kopecks=0))


async def test_a_restored_gateway_sends_what_is_asked_for_again_once(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = ["lost"]
    await stand.hear(_request(paid))
    await stand.settle()
    await _restore(stand)
    await stand.hear(replace(_request(paid), id=uuid4()))
    await stand.settle()
    assert len(stand.provider.refunds_sent) == 2
    assert len(stand.provider.refunds) == 1, "the provider knew the key"
    (event,) = await stand.said("refund.succeeded")
    assert event.data["refund_id"] == "core-1"
    assert await stand.reserved(paid) == 15_000


@pytest.mark.parametrize("made", [True, False])
async def test_what_was_first_asked_for_long_ago_is_looked_for_and_not_sent(
    stand: Any, made: bool
) -> None:
    paid = await stand.paid()
    request = _request(paid, occurred_at=stand.clock())
    if made:
        stand.provider.refund_creates = ["lost"]
        await stand.hear(request)
        await stand.settle()
        await _restore(stand)
    await stand.pass_time(timedelta(days=2))
    sent = len(stand.provider.refunds_sent)
    await stand.hear(replace(request, id=uuid4()))
    await stand.settle()
    assert len(stand.provider.refunds_sent) == sent
    (event,) = await stand.said("refund.succeeded" if made else "refund.failed")
    assert event.data["refund_id"] == "core-1"
    assert await stand.reserved(paid) == (15_000 if made else 0)


async def test_two_replicas_hear_it_once(stand: Any, make_stand: Any, db: Any) -> None:
    paid = await stand.paid()
    other = make_stand(db, stand.provider)
    requests = [_request(paid, 1_000, f"core-{number}") for number in range(8)]
    await asyncio.gather(*(place.hear(*requests) for place in (stand, other)))
    await asyncio.gather(stand.settle(), other.settle())
    assert len(stand.provider.refunds_sent) == 8
    assert await stand.reserved(paid) == 8_000


def _posted(stand: Any, refund: Any, **other: Any) -> Event:
    said = {"provider": refund.shop, "provider_refund_id": refund.provider_refund_id, **other}
    body = RefundPosted(
        contract="100245",
        occurred_at=stand.clock(),
        provider_payment_id=refund.provider_payment_id,
        amount_kopecks=refund.amount_kopecks,
        **said,
    )
    return body.event("core-billing", subject="100245", revision="r", correlation_id="c")


async def test_a_success_is_said_again_until_it_is_heard(stand: Any) -> None:
    asked = await stand.ask(await stand.paid(), 15_000)
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(outbox).where(outbox.c.type == "payment.succeeded"))
    (first,) = await stand.said("refund.succeeded")
    await _publish(stand)
    moments = []
    for minute in range(1, 15):
        await stand.pass_time(MINUTE)
        moments += [minute] * bool(
            [event for event in await _unsent(stand) if event == "refund.succeeded"]
        )
        await _publish(stand)
    assert moments == [1, 3, 13]
    await stand.hear(_posted(stand, asked.refund))
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(outbox))
    await stand.pass_time(timedelta(days=1))
    assert "refund.succeeded" not in await _unsent(stand)
    (row,) = await stand.rows(refunds.refund)
    assert row.acknowledged_at is not None
    assert first.data["amount_kopecks"] == 15_000


async def _unsent(stand: Any) -> list[str]:
    return [row.type for row in await stand.rows(outbox) if row.sent_at is None]


@pytest.mark.parametrize("other", [{"provider": "yookassa:2"}, {"provider_refund_id": "r"}])
async def test_the_acknowledgement_of_another_refund_is_not_ours(
    stand: Any, other: dict[str, str]
) -> None:
    asked = await stand.ask(await stand.paid(), 15_000)
    await stand.hear(_posted(stand, asked.refund, **other))
    (row,) = await stand.rows(refunds.refund)
    assert (row.acknowledged_at, row.say_at is None) == (None, False)


async def test_an_hour_unheard_is_an_alarm(stand: Any) -> None:
    await stand.ask(await stand.paid(), 15_000)
    for _ in range(5):
        await stand.pass_time(11 * MINUTE)
    assert stand.alarms == []
    await stand.pass_time(12 * MINUTE)
    assert sorted(stand.alarms) == ["refund_unacknowledged", "success_unacknowledged"]


async def test_what_was_pruned_is_said_with_the_same_id_and_data(stand: Any) -> None:
    await stand.ask(await stand.paid(), 15_000)
    (first,) = await stand.said("refund.succeeded")
    async with transaction(stand.gateway.db) as tx:
        await tx.execute(delete(outbox))
    await stand.pass_time(2 * MINUTE)
    (again,) = await stand.said("refund.succeeded")
    assert again == first


async def test_an_unclear_request_is_never_said_to_have_failed(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = [Unclear("timeout")] * 1000
    await stand.hear(_request(paid))
    await stand.pass_time(timedelta(hours=22))
    assert await stand.said("refund.failed") == []
    assert await stand.reserved(paid) == 15_000
