"""What comes of a request: made, refused, or unclear and asked again until it is not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from shared.gateway.provider import Refused, Status, Throttled, Unclear

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(
    "told",
    ["lost", Unclear("timeout"), Unclear("http_500"), Throttled(), Unclear("processing", SECOND)],
    ids=str,
)
async def test_an_unclear_outcome_is_repeated_with_the_same_key_and_bytes(
    stand: Any, told: Any
) -> None:
    stand.provider.creates = [told]
    begun = await stand.wish()
    assert begun.status is Status.CREATING
    await stand.settle()
    assert len(stand.provider.sent) == 1, "it has to wait first"
    await stand.pass_time(3 * SECOND)
    assert len(stand.provider.sent) == 2
    assert stand.provider.sent[0] == stand.provider.sent[1]
    assert len(stand.provider.made) == 1
    done = await stand.payment(begun.payment.id)
    assert (done.status, done.provider_payment_id) == (Status.PENDING, *stand.provider.made)


async def test_the_pauses_grow(stand: Any) -> None:
    stand.provider.creates = [Unclear("timeout")] * 5
    await stand.wish()
    moments = []
    for second in range(1, 195):
        before = len(stand.provider.sent)
        await stand.pass_time(SECOND)
        moments += [second] * (len(stand.provider.sent) - before)
    assert moments == [2, 7, 67, 127, 187]


async def test_what_the_provider_asks_for_is_waited(stand: Any) -> None:
    stand.provider.creates = [Throttled(30 * SECOND)]
    await stand.wish()
    await stand.pass_time(29 * SECOND)
    assert len(stand.provider.sent) == 1
    await stand.pass_time(5 * SECOND)
    assert len(stand.provider.sent) == 2


async def test_a_definite_refusal_cancels_and_says_why(stand: Any, refused: Refused) -> None:
    stand.provider.creates = [refused]
    begun = await stand.wish(order_id="order-1")
    assert (begun.status, begun.payment.reason) == (Status.CANCELED, "invalid_request")
    (event,) = await stand.said("payment.canceled")
    assert event.data["order_id"] == "order-1"
    assert event.data["reason"] == "invalid_request"
    assert event.data["provider_payment_id"] is None
    await stand.pass_time(timedelta(days=2))
    assert len(stand.provider.sent) == 1
    assert stand.alarms == []


async def test_wrong_credentials_are_an_alarm(stand: Any) -> None:
    stand.provider.creates = [Refused("invalid_credentials", ours=True)]
    begun = await stand.wish()
    assert begun.status is Status.CANCELED
    assert stand.alarms == ["provider_refuses_us"]


async def test_a_refused_repeat_proves_nothing_so_the_list_is_asked(
    stand: Any, refused: Refused
) -> None:
    stand.provider.creates = ["lost", refused]
    begun = await stand.wish()
    await stand.pass_time(3 * SECOND)
    assert (await stand.payment(begun.payment.id)).status is Status.CREATING
    await stand.pass_time(3 * MINUTE)
    assert (await stand.payment(begun.payment.id)).status is Status.PENDING
    assert len(stand.provider.sent) == 2
    assert await stand.said("payment.canceled") == []


async def test_a_refused_repeat_that_is_not_in_the_list_is_canceled(
    stand: Any, refused: Refused
) -> None:
    stand.provider.creates = [Unclear("reset"), refused]
    begun = await stand.wish()
    await stand.pass_time(3 * SECOND)
    await stand.pass_time(3 * MINUTE)
    done = await stand.payment(begun.payment.id)
    assert (done.status, done.reason) == (Status.CANCELED, "unmade")


async def _unclear_for_a_day(stand: Any, *, made: bool) -> Any:
    stand.provider.creates = ["lost" if made else Unclear("timeout")] + [Unclear("timeout")] * 3000
    begun = await stand.wish()
    for _ in range(24):
        await stand.pass_time(timedelta(minutes=57))
    sent = len(stand.provider.sent)
    stand.provider.creates = []
    await stand.pass_time(timedelta(hours=1))
    await stand.pass_time(timedelta(hours=1))
    assert len(stand.provider.sent) == sent, "after 23 hours it must never be sent again"
    return await stand.payment(begun.payment.id)


async def test_after_23_hours_the_list_tells_that_it_was_made(stand: Any) -> None:
    done = await _unclear_for_a_day(stand, made=True)
    assert (done.status, done.provider_payment_id) == (Status.PENDING, *stand.provider.made)


async def test_after_23_hours_the_list_tells_that_it_was_not_made(stand: Any) -> None:
    done = await _unclear_for_a_day(stand, made=False)
    assert (done.status, done.reason) == (Status.CANCELED, "unmade")
    assert len(await stand.said("payment.canceled")) == 1


async def test_the_list_is_walked_page_by_page(stand: Any, refused: Refused) -> None:
    stand.provider.page_size = 2
    stand.provider.creates = ["lost"]
    begun = await stand.wish()
    stand.clock.advance(SECOND)
    for _ in range(5):
        await stand.wish()
    stand.provider.creates = [refused]
    await stand.pass_time(3 * SECOND)
    await stand.pass_time(3 * MINUTE)
    assert (await stand.payment(begun.payment.id)).status is Status.PENDING
    assert stand.provider.pages == 3


async def test_a_list_without_an_end_is_an_alarm_and_no_answer(
    stand: Any, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    monkeypatch.setattr("shared.gateway.creation.PAGES_MAX", 2)
    stand.provider.page_size = 1
    stand.provider.creates = [Unclear("reset")]
    begun = await stand.wish()
    for _ in range(4):
        await stand.wish()
    stand.provider.creates = [refused]
    await stand.pass_time(3 * SECOND)
    await stand.pass_time(3 * MINUTE)
    assert stand.alarms == ["provider_list_too_long"]
    assert (await stand.payment(begun.payment.id)).status is Status.CREATING


async def test_an_unreachable_list_is_asked_again(stand: Any, refused: Refused) -> None:
    stand.provider.creates = ["lost", refused]
    stand.provider.lists = [Unclear("timeout"), Refused("forbidden", ours=True)]
    begun = await stand.wish()
    for _ in range(6):
        await stand.pass_time(2 * MINUTE)
    assert (await stand.payment(begun.payment.id)).status is Status.PENDING
    assert stand.provider.pages >= 3


async def test_a_killed_process_costs_one_lease(stand: Any, make_stand: Any, db: Any) -> None:
    stand.provider.slow = asyncio.Event()
    dying = make_stand(db, stand.provider)
    begun = await dying.wish()
    for task in list(dying.gateway.creations._tasks):
        task.cancel()
    await dying.gateway.creations.drain()
    stand.provider.slow.set()
    await stand.pass_time(79 * SECOND)
    assert len(stand.provider.sent) == 1, "somebody may still hold it"
    await stand.pass_time(2 * SECOND)
    assert len(stand.provider.sent) == 2
    assert (await stand.payment(begun.payment.id)).status is Status.PENDING


async def test_an_outcome_after_the_lease_ran_out_schedules_nothing(
    stand: Any, make_stand: Any, db: Any, refused: Refused
) -> None:
    stand.provider.creates = [refused]
    stand.provider.slow = asyncio.Event()
    slow = make_stand(db, stand.provider)
    begun = await slow.wish()
    stand.clock.advance(81 * SECOND)
    provider, stand.provider.slow = stand.provider.slow, None
    await stand.settle()
    provider.set()
    await slow.gateway.creations.drain()
    done = await stand.payment(begun.payment.id)
    assert done.status is Status.PENDING, "a refusal of the lost holder must not cancel it"


async def test_two_replicas_never_send_twice(stand: Any, make_stand: Any, db: Any) -> None:
    other = make_stand(db, stand.provider)
    stand.provider.creates = [Unclear("timeout")] * 40
    for _ in range(20):
        await stand.wish()
    sent = len(stand.provider.sent)
    stand.clock.advance(3 * SECOND)
    await asyncio.gather(*(one.settle(4) for one in (stand, other, stand, other)))
    repeated = stand.provider.sent[sent:]
    assert len(repeated) == len(set(repeated)) == 20


async def test_a_success_may_come_with_the_first_answer(stand: Any) -> None:
    stand.provider.creates = ["lost"]
    begun = await stand.wish()
    (provider_id,) = stand.provider.made
    stand.provider.pay(provider_id)
    await stand.pass_time(3 * SECOND)
    assert (await stand.payment(begun.payment.id)).status is Status.SUCCEEDED
    assert len(await stand.said()) == 1
