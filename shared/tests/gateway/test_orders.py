"""A wish becomes one payment, however often it is made."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest

from shared.errors import Conflict
from shared.gateway import payments
from shared.gateway.pool import Pool
from shared.gateway.provider import Status


async def test_a_payment_is_written_before_the_provider_hears_of_it(stand: Any) -> None:
    stand.provider.slow = asyncio.Event()
    asking = asyncio.create_task(stand.wish())
    await stand.provider.heard.wait()
    (row,) = await stand.rows(payments.payment)
    assert (row.status, row.provider_payment_id) == ("creating", None)
    assert [(row.key, stand.gateway.unsealed(row.request))] == stand.provider.sent
    assert b"100245" not in row.request
    assert 1 <= len(row.key) <= 64
    assert row.first_sent_at == stand.clock()
    stand.provider.slow.set()
    begun = await asking
    assert begun.status is Status.PENDING
    assert (
        begun.payment.confirmation_url == f"https://pay.example/{begun.payment.provider_payment_id}"
    )


async def test_each_payment_has_a_key_of_its_own(stand: Any) -> None:
    await stand.wish()
    await stand.wish()
    assert len({key for key, _ in stand.provider.sent}) == 2


async def test_a_slow_provider_is_not_waited_for(stand: Any, make_stand: Any, db: Any) -> None:
    stand.provider.slow = asyncio.Event()
    impatient = make_stand(db, stand.provider)
    begun = await asyncio.wait_for(impatient.wish(caller="demo", caller_key="k"), 10)
    assert begun.status is Status.CREATING
    again = await impatient.wish(caller="demo", caller_key="k")
    assert (again.payment.id, again.status) == (begun.payment.id, Status.CREATING)
    stand.provider.slow.set()
    await impatient.gateway.creations.drain()
    done = await impatient.wish(caller="demo", caller_key="k")
    assert (done.payment.id, done.status) == (begun.payment.id, Status.PENDING)
    assert len(stand.provider.sent) == 1


async def test_a_repeated_key_gets_its_first_answer(stand: Any) -> None:
    first = await stand.wish(caller="demo", caller_key="k")
    stand.provider.pay(first.payment.provider_payment_id)
    await stand.callback(first.payment.provider_payment_id)
    again = await stand.wish(caller="demo", caller_key="k")
    assert (again.payment.id, again.status) == (first.payment.id, Status.PENDING)
    assert again.payment.status is Status.SUCCEEDED
    assert len(stand.provider.sent) == 1


@pytest.mark.parametrize(
    "change",
    [{"amount": 65_001}, {"contract": "100246"}, {"contact": {"email": "a@example.org"}}],
)
async def test_a_key_stands_for_one_wish(stand: Any, change: dict[str, Any]) -> None:
    await stand.wish(caller="demo", caller_key="k")
    with pytest.raises(Conflict):
        await stand.wish(caller="demo", caller_key="k", **change)
    assert len(stand.provider.sent) == 1


async def test_two_callers_may_use_the_same_key(stand: Any) -> None:
    one = await stand.wish(caller="demo", caller_key="k")
    other = await stand.wish(caller="shop", caller_key="k")
    assert one.payment.id != other.payment.id


async def test_without_a_key_each_wish_is_a_payment(stand: Any) -> None:
    one = await stand.wish(caller="demo")
    other = await stand.wish(caller="demo")
    assert one.payment.id != other.payment.id


async def test_an_order_has_one_payment(stand: Any) -> None:
    begun = await asyncio.gather(*(stand.wish(order_id="order-1") for _ in range(8)))
    assert len({one.payment.id for one in begun}) == 1
    assert len(stand.provider.sent) == 1


async def test_an_order_with_another_amount_is_refused(stand: Any) -> None:
    await stand.wish(order_id="order-1")
    with pytest.raises(Conflict):
        await stand.wish(order_id="order-1", amount=1)


async def test_many_at_once_with_one_key_make_one_payment(stand: Any) -> None:
    wishes = (stand.wish(caller="demo", caller_key="k") for _ in range(8))
    begun = await asyncio.gather(*wishes)
    assert len({one.payment.id for one in begun}) == 1
    assert len(stand.provider.sent) == 1


async def test_a_caller_who_leaves_does_not_stop_the_payment(stand: Any) -> None:
    stand.provider.slow = asyncio.Event()
    asking = asyncio.create_task(stand.wish())
    await stand.provider.heard.wait()
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    stand.provider.slow.set()
    await stand.gateway.creations.drain()
    (row,) = await stand.rows(payments.payment)
    assert row.status == "pending"


async def test_without_a_free_hand_the_loop_makes_the_payment(db: Any, make_stand: Any) -> None:
    busy = make_stand(db, creations=Pool(0))
    begun = await busy.wish()
    assert begun.status is Status.CREATING
    assert busy.provider.sent == []
    await busy.settle()
    assert (await busy.payment(begun.payment.id)).status is Status.PENDING
    assert len(busy.provider.sent) == 1


async def test_a_contact_is_stored_encrypted(stand: Any) -> None:
    begun = await stand.wish(contact={"email": "anna@example.org", "phone": "+79161234567"})
    row = await stand.row(begun.payment.id)
    assert "anna" not in row.contact
    assert orjson.loads(stand.gateway.vault.decrypt(row.contact)) == {
        "email": "anna@example.org",
        "phone": "+79161234567",
    }
    assert b"anna" not in row.request
