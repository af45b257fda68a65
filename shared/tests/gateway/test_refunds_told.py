"""What is heard of refunds: callbacks of any kind, and refunds that nobody here has asked for."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared.errors import Invalid
from shared.gateway import refund_searches, refunds
from shared.gateway.provider import Missing, Refused, Status, Throttled, Unclear

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


async def test_duplicate_callbacks_are_one_refund(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_ends = [Status.PENDING]
    asked = await stand.ask(paid, 15_000)
    refund_id = asked.refund.provider_refund_id
    stand.provider.end_refund(refund_id, Status.SUCCEEDED)
    for _ in range(3):
        await stand.refund_callback(refund_id, paid.provider_payment_id)
    assert (await stand.refund(asked.refund.id)).status is Status.SUCCEEDED
    assert len(await stand.said("refund.succeeded")) == 1
    assert await stand.reserved(paid) == 15_000


async def test_a_callback_before_the_request_was_answered(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = ["lost"]
    asked = await stand.ask(paid, 15_000)
    (told,) = stand.provider.refunds.values()
    await stand.refund_callback(told.id, paid.provider_payment_id)
    done = await stand.refund(asked.refund.id)
    assert (done.status, done.provider_refund_id) == (Status.SUCCEEDED, told.id)
    await stand.pass_time(DAY)
    assert len(stand.provider.refunds_sent) == 1
    assert await stand.reserved(paid) == 15_000
    assert len(await stand.rows(refunds.refund)) == 1
    assert len(await stand.said("refund.succeeded")) == 1


async def test_a_stale_answer_is_asked_again(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_ends = [Status.PENDING]
    asked = await stand.ask(paid, 15_000)
    refund_id = asked.refund.provider_refund_id
    stand.provider.refund_fetches = [stand.provider.refunds[refund_id]]
    stand.provider.end_refund(refund_id, Status.SUCCEEDED)
    await stand.refund_callback(refund_id, paid.provider_payment_id)
    assert (await stand.refund(asked.refund.id)).status is Status.PENDING
    await stand.pass_time(SECOND)
    assert (await stand.refund(asked.refund.id)).status is Status.SUCCEEDED


async def test_a_forged_callback_books_nothing(stand: Any) -> None:
    paid = await stand.paid()
    await stand.refund_callback(str(uuid4()), paid.provider_payment_id)
    await stand.pass_time(DAY)
    assert await stand.rows(refunds.refund) == []
    assert await stand.said("refund.succeeded") == []


async def test_a_refund_made_in_the_profile_is_booked(stand: Any) -> None:
    paid = await stand.paid()
    refund_id = stand.provider.send_back(paid.provider_payment_id, 15_000)
    await stand.refund_callback(refund_id, paid.provider_payment_id)
    (row,) = await stand.rows(refunds.refund)
    assert (row.status, row.asked_by, row.provider_refund_id) == ("succeeded", None, refund_id)
    assert await stand.reserved(paid) == 15_000
    (event,) = await stand.said("refund.succeeded")
    assert event.data["refund_id"] is None
    assert stand.alarms == []
    with pytest.raises(Invalid, match="amount"):
        await stand.ask(paid, 50_001)


async def test_a_pending_one_of_the_profile_is_followed_to_its_end(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_ends = [Status.PENDING]
    refund_id = stand.provider.send_back(paid.provider_payment_id, 15_000)
    await stand.refund_callback(refund_id, paid.provider_payment_id)
    assert await stand.reserved(paid) == 15_000
    stand.provider.end_refund(refund_id, Status.CANCELED, "general_decline")
    await stand.pass_time(20 * SECOND)
    assert await stand.reserved(paid) == 0
    assert await stand.said("refund.failed") == [], "nobody here has asked for it"


async def test_a_refund_beyond_the_rest_is_booked_with_an_alarm(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = [Unclear("timeout")] * 1000
    await stand.ask(paid, 60_000)
    refund_id = stand.provider.send_back(paid.provider_payment_id, 15_000)
    await stand.refund_callback(refund_id, paid.provider_payment_id)
    assert await stand.reserved(paid) == 75_000
    assert stand.alarms == ["refund_exceeds_payment"]
    assert len(await stand.said("refund.succeeded")) == 1


@pytest.mark.parametrize("page_size", [1, 100])
async def test_a_payment_that_shows_more_than_we_know_is_looked_through(
    stand: Any, page_size: int
) -> None:
    begun = await stand.wish()
    provider_id = begun.payment.provider_payment_id
    stand.provider.pay(provider_id)
    stand.provider.page_size = page_size
    for amount in (15_000, 20_000):
        stand.provider.send_back(provider_id, amount)
    stand.provider.refund_lists = [Unclear("timeout")]
    await stand.callback(provider_id)
    await stand.pass_time(MINUTE)
    assert await stand.reserved(begun.payment) == 35_000
    said = await stand.said("refund.succeeded")
    assert sorted(event.data["amount_kopecks"] for event in said) == [15_000, 20_000]
    assert await stand.rows(refund_searches.search) == []


async def test_a_refund_of_an_unknown_payment_brings_the_payment(stand: Any) -> None:
    request = orjson.dumps(
        {"payment_id": str(uuid4()), "amount": 65_000, "parts": [["100245", 65_000]]}
    )
    provider_id = stand.provider.add(request)
    stand.provider.pay(provider_id)
    asked, core = uuid4(), "core-7"
    refund_id = stand.provider.send_back(provider_id, 15_000, refund_id=asked, request_id=core)
    await stand.refund_callback(refund_id, provider_id)
    assert [event.subject for event in await stand.said()] == [provider_id]
    (event,) = await stand.said("refund.succeeded")
    assert event.data["refund_id"] == core, "what a lost database knew comes back"
    assert (await stand.refund(asked)).status is Status.SUCCEEDED


@pytest.mark.parametrize("answer", [Missing(), Unclear("timeout"), Throttled()], ids=str)
async def test_a_refund_waits_for_its_payment(stand: Any, answer: Any) -> None:
    begun = await stand.wish()
    provider_id = begun.payment.provider_payment_id
    stand.provider.pay(provider_id)
    refund_id = stand.provider.send_back(provider_id, 15_000)
    stand.provider.fetches = [answer]
    await stand.refund_callback(refund_id, provider_id)
    assert await stand.rows(refunds.refund) == []
    await stand.pass_time(10 * SECOND)
    assert len(await stand.said("refund.succeeded")) == 1


@pytest.mark.parametrize("bent", [{"test": True}, {"shop": "yookassa:7"}, {"currency": "USD"}])
async def test_the_refund_of_a_held_payment_is_held_until_it_is_not(
    stand: Any, bent: dict[str, Any]
) -> None:
    begun = await stand.wish()
    provider_id = begun.payment.provider_payment_id
    right = stand.provider.made[provider_id]
    stand.provider.pay(provider_id, **bent)
    refund_id = stand.provider.send_back(provider_id, 15_000)
    await stand.refund_callback(refund_id, provider_id)
    assert await stand.said("refund.succeeded") == []
    held = (await stand.payment(begun.payment.id)).held
    assert stand.alarms == [held, "refund_held"]
    stand.provider.change(provider_id, **{name: getattr(right, name) for name in bent})
    await stand.pass_time(DAY)
    await stand.callback(provider_id, event="payment.succeeded.again")
    assert len(await stand.said()) == 1
    assert len(await stand.said("refund.succeeded")) == 1


async def test_what_was_held_is_looked_at_where_payments_show_no_refunds(stand: Any) -> None:
    begun = await stand.wish()
    provider_id = begun.payment.provider_payment_id
    stand.provider.pay(provider_id, test=True)
    refund_id = stand.provider.send_back(provider_id, 15_000)
    await stand.refund_callback(refund_id, provider_id)
    stand.provider.change(provider_id, test=False, refunded_kopecks=0)
    await stand.callback(provider_id, event="payment.succeeded.again")
    assert len(await stand.said("refund.succeeded")) == 1


async def test_a_second_refund_under_our_id_is_money_of_its_own(stand: Any) -> None:
    paid = await stand.paid()
    asked = await stand.ask(paid, 15_000)
    again = stand.provider.send_back(paid.provider_payment_id, 15_000, refund_id=asked.refund.id)
    await stand.refund_callback(again, paid.provider_payment_id)
    assert await stand.reserved(paid) == 30_000
    said = {event.subject for event in await stand.said("refund.succeeded")}
    assert said == {asked.refund.provider_refund_id, again}


async def test_a_refund_in_another_currency_is_held(stand: Any) -> None:
    paid = await stand.paid()
    refund_id = stand.provider.send_back(paid.provider_payment_id, 100, currency="USD")
    for _ in range(2):
        await stand.refund_callback(refund_id, paid.provider_payment_id)
    assert stand.alarms == ["refund_held"]
    assert await stand.said("refund.succeeded") == []


async def test_another_amount_than_asked_for_is_booked_as_it_is(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_ends = [Status.PENDING]
    asked = await stand.ask(paid, 15_000)
    refund_id = asked.refund.provider_refund_id
    stand.provider.refunds[refund_id] = replace(
        stand.provider.refunds[refund_id], amount_kopecks=14_900
    )
    stand.provider.end_refund(refund_id, Status.SUCCEEDED)
    await stand.pass_time(MINUTE)
    assert await stand.reserved(paid) == 14_900
    (event,) = await stand.said("refund.succeeded")
    assert event.data["amount_kopecks"] == 14_900
    assert stand.alarms == ["refund_changed"]


async def test_a_success_that_is_taken_back_is_an_alarm_and_nothing_else(stand: Any) -> None:
    paid = await stand.paid()
    asked = await stand.ask(paid, 15_000)
    refund_id = asked.refund.provider_refund_id
    stand.provider.end_refund(refund_id, Status.CANCELED)
    await stand.refund_callback(refund_id, paid.provider_payment_id)
    assert stand.alarms == ["refund_revoked"]
    assert (await stand.refund(asked.refund.id)).status is Status.SUCCEEDED
    assert await stand.reserved(paid) == 15_000


async def test_what_was_taken_for_unmade_and_comes_after_all_is_booked(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = ["lost", Refused("x")]
    stand.provider.refund_lists = []
    asked = await stand.ask(paid, 15_000)
    (told,) = stand.provider.refunds.values()
    hidden = stand.provider.refunds.pop(told.id)
    await stand.pass_time(3 * SECOND)
    await stand.pass_time(2 * MINUTE)
    assert (await stand.refund(asked.refund.id)).failure == "unmade"
    assert await stand.reserved(paid) == 0
    stand.provider.refunds[told.id] = hidden
    await stand.refund_callback(told.id, paid.provider_payment_id)
    done = await stand.refund(asked.refund.id)
    assert (done.status, done.failure) == (Status.SUCCEEDED, "")
    assert await stand.reserved(paid) == 15_000
