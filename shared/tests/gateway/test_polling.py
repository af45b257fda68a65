"""Pending payments are asked about, ever more slowly, until the provider has no more to tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.gateway.provider import Missing, Page, Refused, Status, Throttled, Unclear

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


async def test_a_lost_callback_costs_a_poll(stand: Any) -> None:
    begun = await stand.wish()
    stand.provider.pay(begun.payment.provider_payment_id)
    await stand.pass_time(19 * SECOND)
    assert await stand.said() == []
    await stand.pass_time(4 * SECOND)
    assert len(await stand.said()) == 1


async def test_the_questions_grow_rarer_and_never_end(stand: Any) -> None:
    await stand.wish()
    moments = []
    for second in range(0, 300, 5):
        before = len(stand.provider.asked)
        await stand.pass_time(5 * SECOND)
        moments += [second + 5] * (len(stand.provider.asked) - before)
    assert moments == [20, 60, 120, 180, 240, 300]


async def test_a_cancellation_is_found_and_ends_the_questions(stand: Any) -> None:
    begun = await stand.wish()
    stand.provider.cancel(begun.payment.provider_payment_id)
    await stand.pass_time(MINUTE)
    done = await stand.payment(begun.payment.id)
    assert (done.status, done.reason) == (Status.CANCELED, "expired_on_confirmation")
    assert len(await stand.said("payment.canceled")) == 1
    asked = len(stand.provider.asked)
    await stand.pass_time(timedelta(hours=3))
    assert len(stand.provider.asked) == asked


@pytest.mark.parametrize(
    ("told", "alarms"),
    [
        (Unclear("timeout"), []),
        (Throttled(), []),
        (Refused("invalid_credentials", ours=True), ["provider_refuses_us"]),
        (Missing(), ["payment_vanished"]),
    ],
    ids=str,
)
async def test_a_failed_question_is_repeated(stand: Any, told: Any, alarms: list[str]) -> None:
    begun = await stand.wish()
    stand.provider.pay(begun.payment.provider_payment_id)
    stand.provider.fetches = [told]
    await stand.pass_time(23 * SECOND)
    assert await stand.said() == []
    await stand.pass_time(MINUTE)
    assert len(await stand.said()) == 1
    assert stand.alarms == alarms


async def test_what_the_provider_has_lost_is_given_up_after_a_day(stand: Any) -> None:
    begun = await stand.wish()
    del stand.provider.made[begun.payment.provider_payment_id]
    await stand.pass_time(timedelta(hours=25))
    asked = len(stand.provider.asked)
    await stand.pass_time(timedelta(hours=25))
    assert len(stand.provider.asked) == asked
    assert (await stand.row(begun.payment.id)).due_at is None
    assert stand.alarms == ["payment_vanished"]


async def test_a_late_success_after_a_local_cancellation_is_credited(stand: Any) -> None:
    stand.provider.creates = [Refused("invalid_request")]
    begun = await stand.wish()
    assert begun.status is Status.CANCELED
    provider_id = stand.provider.add(stand.provider.sent[0][1])
    stand.provider.pay(provider_id)
    await stand.callback(provider_id, payment_id=begun.payment.id)
    done = await stand.payment(begun.payment.id)
    assert (done.status, done.provider_payment_id) == (Status.SUCCEEDED, provider_id)
    assert [event.subject for event in await stand.said()] == [provider_id]


async def test_a_shop_that_is_no_longer_configured_is_an_alarm(
    stand: Any, make_stand: Any, make_provider: Any, db: Any
) -> None:
    begun = await stand.wish()
    other = make_stand(db, make_provider(shop="yookassa:2"))
    await other.pass_time(MINUTE)
    assert stand.alarms == ["shop_not_configured"]
    assert (await stand.row(begun.payment.id)).lease_token is None


async def test_an_unreadable_payment_in_the_list_is_no_proof_that_ours_was_not_made(
    stand: Any,
) -> None:
    stand.provider.creates = [Unclear("timeout")] * 99
    begun = await stand.wish()
    stand.provider.lists = [Page([], None, unreadable=1)] * 3
    await stand.pass_time(timedelta(hours=24))
    assert (await stand.payment(begun.payment.id)).status is Status.CREATING
    assert "provider_list_unreadable" in stand.alarms
    stand.provider.lists = []
    for _ in range(5):
        await stand.pass_time(timedelta(hours=1))
    assert (await stand.payment(begun.payment.id)).status is Status.CANCELED
