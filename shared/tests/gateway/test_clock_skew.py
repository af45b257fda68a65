"""The provider's clock and ours may differ, either way: by hours, as by a wrong time zone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shared.gateway.provider import Status, Unclear

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
SKEWS = pytest.mark.parametrize("skew", [-5 * HOUR, 5 * HOUR], ids=["behind", "ahead"])


@SKEWS
async def test_a_payment_is_made_and_settled_by_another_clock(stand: Any, skew: timedelta) -> None:
    stand.provider.clock = lambda: stand.clock() + skew
    begun = await stand.wish()
    provider_id = begun.payment.provider_payment_id
    stand.provider.pay(provider_id)
    await stand.callback(provider_id)
    done = await stand.payment(begun.payment.id)
    assert (done.status, done.paid_at) == (Status.SUCCEEDED, stand.clock() + skew)
    (event,) = await stand.said()
    assert event.data["amount_kopecks"] == 65_000


@SKEWS
async def test_a_lost_creation_is_found_in_a_list_by_another_clock(
    stand: Any, skew: timedelta
) -> None:
    stand.provider.clock = lambda: stand.clock() + skew
    stand.provider.creates = ["lost", *[Unclear("http_500")] * 2000]
    begun = await stand.wish()
    assert begun.status is Status.CREATING
    await stand.pass_time(stand.gateway.timing.list_after + MINUTE)
    found = await stand.payment(begun.payment.id)
    assert (found.status, found.provider_payment_id) == (
        Status.PENDING,
        next(iter(stand.provider.made)),
    )
    assert len(stand.provider.sent) == 1, "after so long it is never sent again"
    stand.provider.pay(found.provider_payment_id)
    await stand.pass_time(MINUTE)
    assert (await stand.payment(begun.payment.id)).status is Status.SUCCEEDED
    assert len(await stand.said()) == 1


@SKEWS
async def test_a_lost_refund_is_found_in_a_list_by_another_clock(
    stand: Any, skew: timedelta
) -> None:
    paid = await stand.paid()
    stand.provider.clock = lambda: stand.clock() + 4 * skew
    stand.provider.refund_creates = ["lost", *[Unclear("http_500")] * 3000]
    asked = await stand.ask(paid, 100)
    await stand.pass_time(stand.gateway.timing.list_after + MINUTE)
    assert (await stand.refund(asked.refund.id)).status is Status.SUCCEEDED
