"""Codes live one at a time for a contract and a sum, however many people ask for one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from shared.errors import Conflict
from shared.events import Allocation
from shared.gateway import aliases, payments
from shared.gateway.live import LEFT_MIN
from shared.gateway.provider import Missing, Status, Unclear

TERM = timedelta(minutes=30)


@dataclass
class Bank:
    """Ends the codes of the fake provider, and finds what a request has made."""

    provider: Any
    ended: list[str] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    found: list[Any] = field(default_factory=list)
    asked: list[bytes] = field(default_factory=list)

    async def cancel(self, provider_payment_id: str) -> Any:
        self.ended.append(provider_payment_id)
        if self.answers:
            return self.answers.pop(0)
        if self.provider.made[provider_payment_id].status is Status.PENDING:
            self.provider.cancel(provider_payment_id, "canceled")
        return self.provider.made[provider_payment_id]

    async def find(self, request: bytes) -> Any:
        self.asked.append(request)
        return self.found.pop(0)


@pytest.fixture
def codes(stand: Any) -> Any:
    """A stand whose payments are codes that can be ended."""
    bank = Bank(stand.provider)
    shop = stand.provider.shop
    stand.gateway = replace(stand.gateway, enders={shop: bank}, finders={shop: bank})
    stand.bank = bank
    return stand


async def test_the_same_sum_is_shown_the_same_code(codes: Any) -> None:
    first = await codes.wish(caller="demo", caller_key="a")
    second = await codes.wish(caller="demo", caller_key="b")
    assert second.payment.id == first.payment.id
    assert len(codes.provider.sent) == 1
    assert codes.bank.ended == []


async def test_the_other_key_stands_for_it_from_then_on(codes: Any) -> None:
    first = await codes.wish(caller="demo", caller_key="a")
    second = await codes.wish(caller="demo", caller_key="b")
    codes.provider.pay(first.payment.provider_payment_id)
    await codes.callback(first.payment.provider_payment_id)
    again = await codes.wish(caller="demo", caller_key="b")
    assert (again.payment.id, again.status) == (first.payment.id, second.status)
    with pytest.raises(Conflict):
        await codes.wish(70_000, caller="demo", caller_key="b")


async def test_the_other_order_stands_for_it_from_then_on(codes: Any) -> None:
    first = await codes.wish(order_id="one")
    assert (await codes.wish(order_id="two")).payment.id == first.payment.id
    codes.provider.pay(first.payment.provider_payment_id)
    await codes.callback(first.payment.provider_payment_id)
    again = await codes.wish(order_id="two")
    assert (again.payment.id, again.status) == (first.payment.id, Status.SUCCEEDED)
    with pytest.raises(Conflict):
        await codes.wish(70_000, order_id="two")
    assert len(await codes.rows(aliases.alias)) == 1


async def test_another_sum_ends_the_code_first(codes: Any) -> None:
    first = await codes.wish(65_000)
    second = await codes.wish(70_000)
    assert codes.bank.ended == [first.payment.provider_payment_id]
    assert (await codes.payment(first.payment.id)).status is Status.CANCELED
    assert second.status is Status.PENDING
    (event,) = await codes.said("payment.canceled")
    assert event.subject == str(first.payment.id)


async def test_a_code_that_was_paid_meanwhile_is_credited(codes: Any) -> None:
    first = await codes.wish(65_000)
    codes.provider.pay(first.payment.provider_payment_id)
    second = await codes.wish(70_000)
    assert (await codes.payment(first.payment.id)).status is Status.SUCCEEDED
    assert second.payment.id != first.payment.id
    assert len(await codes.said()) == 1


async def test_a_code_that_cannot_be_ended_lives_on_beside_the_new_one(codes: Any) -> None:
    first = await codes.wish(65_000)
    codes.bank.answers = [Unclear("timeout")]
    second = await codes.wish(70_000)
    for begun in (first, second):
        codes.provider.pay(begun.payment.provider_payment_id)
        await codes.callback(begun.payment.provider_payment_id)
    assert sorted(event.data["amount_kopecks"] for event in await codes.said()) == [65_000, 70_000]


async def test_what_was_paid_or_ended_is_not_shown_again(codes: Any) -> None:
    first = await codes.wish()
    codes.provider.pay(first.payment.provider_payment_id)
    await codes.callback(first.payment.provider_payment_id)
    second = await codes.wish()
    assert second.payment.id != first.payment.id
    assert codes.bank.ended == []


async def test_a_code_that_ends_soon_is_not_shown_again(codes: Any) -> None:
    first = await codes.wish()
    codes.provider.change(first.payment.provider_payment_id, expires_at=codes.clock() + TERM)
    await codes.pass_time(timedelta(minutes=1))
    codes.clock.advance(TERM - LEFT_MIN - timedelta(minutes=1))
    assert (await codes.wish()).payment.id == first.payment.id
    codes.clock.advance(timedelta(seconds=1))
    assert (await codes.wish()).payment.id != first.payment.id


@pytest.mark.parametrize(
    "other",
    [
        {"contract": "100246"},
        {
            "allocations": (
                Allocation(contract="100245", amount_kopecks=60_000),
                Allocation(contract="100246", amount_kopecks=5_000),
            )
        },
        {"contact": {"email": "other@example.org"}},
    ],
    ids=["contract", "parts", "receipt"],
)
async def test_what_differs_is_another_code(codes: Any, other: dict[str, Any]) -> None:
    first = await codes.wish()
    second = await codes.wish(**other)
    assert second.payment.id != first.payment.id


async def test_many_who_ask_at_once_share_one_code(codes: Any) -> None:
    begun = await asyncio.gather(
        *(codes.wish(caller="demo", caller_key=f"key-{n}") for n in range(8))
    )
    assert len({one.payment.id for one in begun}) == 1
    assert len(await codes.rows(payments.payment)) == 1


async def test_a_request_that_may_not_be_sent_again_is_asked_about(codes: Any) -> None:
    codes.provider.creates = ["lost"]
    begun = await codes.wish()
    assert begun.status is Status.CREATING
    codes.provider.creates = [Unclear("timeout")] * 100
    (made,) = codes.provider.made.values()
    codes.bank.found = [Unclear("timeout"), made]
    codes.clock.advance(timedelta(hours=24))
    await codes.settle()
    await codes.pass_time(timedelta(minutes=2))
    found = await codes.payment(begun.payment.id)
    assert (found.status, found.provider_payment_id) == (Status.PENDING, made.id)
    assert codes.bank.asked == [codes.provider.sent[0][1]] * 2
    assert codes.provider.pages == 0


async def test_a_request_that_has_made_nothing_is_over(codes: Any) -> None:
    codes.provider.creates = [Unclear("timeout")] * 100
    begun = await codes.wish()
    codes.bank.found = [Missing()]
    codes.clock.advance(timedelta(hours=24))
    await codes.settle()
    found = await codes.payment(begun.payment.id)
    assert (found.status, found.reason) == (Status.CANCELED, "unmade")
