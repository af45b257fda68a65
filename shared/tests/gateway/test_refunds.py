"""Money on its way back: reserved first, sent once, booked as the provider tells it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from shared.db import transaction
from shared.errors import Conflict, Invalid, NotFound
from shared.gateway import refund_leases, refund_settling, refunds, reserve
from shared.gateway.provider import RefundPage, Refused, Status, Throttled, Unclear

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


async def test_a_refund_is_reserved_sent_and_said(stand: Any) -> None:
    paid = await stand.paid()
    asked = await stand.ask(paid, 15_000, reason="twice")
    assert asked.status is Status.SUCCEEDED
    assert await stand.reserved(paid) == 15_000
    (event,) = await stand.said("refund.succeeded")
    truth = stand.provider.refunds[asked.refund.provider_refund_id]
    assert (event.subject, event.revision) == (truth.id, truth.id)
    assert event.data == {
        "contract": None,
        "occurred_at": "2026-11-22T09:00:00Z",
        "provider": paid.shop,
        "provider_refund_id": truth.id,
        "provider_payment_id": paid.provider_payment_id,
        "amount_kopecks": 15_000,
        "refund_id": None,
        "reason": "twice",
    }
    assert stand.alarms == []


async def test_several_refunds_up_to_the_rest(stand: Any) -> None:
    paid = await stand.paid()
    for amount in (15_000, 20_000, 30_000):
        assert (await stand.ask(paid, amount)).status is Status.SUCCEEDED
    assert await stand.reserved(paid) == 65_000
    with pytest.raises(Invalid) as caught:
        await stand.ask(paid, 1)
    assert caught.value.fields[0].field == "payment"
    assert "in full" in caught.value.fields[0].text.en
    assert len(stand.provider.refunds_sent) == 3


async def test_above_the_rest_the_answer_says_what_the_rest_is(stand: Any) -> None:
    paid = await stand.paid()
    await stand.ask(paid, 15_000)
    with pytest.raises(Invalid) as caught:
        await stand.ask(paid, 50_001)
    (wrong,) = caught.value.fields
    assert (wrong.field, wrong.text.en) == ("amount", "at most 500.00 is left to return")
    assert wrong.text.ru == "можно вернуть не больше 500.00"
    assert await stand.reserved(paid) == 15_000


async def test_whether_it_is_the_whole_payment_is_told_where_the_request_is_built(
    stand: Any,
) -> None:
    for amount, whole in ((65_000, True), (64_999, False)):
        await stand.ask(await stand.paid(), amount)
        assert orjson.loads(stand.provider.refunds_sent[-1][1])["whole"] is whole


async def test_nothing_is_returned_of_a_payment_that_has_not_succeeded(stand: Any) -> None:
    pending = (await stand.wish()).payment
    canceled = (await stand.wish()).payment
    stand.provider.cancel(canceled.provider_payment_id)
    await stand.callback(canceled.provider_payment_id, claims=Status.CANCELED)
    for payment, word in ((pending, "not complete"), (canceled, "canceled")):
        with pytest.raises(Invalid, match="payment") as caught:
            await stand.ask(payment, 100)
        assert word in caught.value.fields[0].text.en
    assert stand.provider.refunds_sent == []
    assert await stand.rows(refunds.refund) == []


async def test_an_unknown_payment_is_not_found(stand: Any) -> None:
    paid = await stand.paid()
    lost = type(paid)(**{name: getattr(paid, name) for name in paid.__slots__} | {"id": uuid4()})
    with pytest.raises(NotFound):
        await stand.ask(lost, 100)


async def test_a_repeated_key_is_the_same_refund_with_its_first_answer(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_ends = [Status.PENDING]
    first = await stand.ask(paid, 100, caller_key="key-1")
    stand.provider.end_refund(first.refund.provider_refund_id, Status.SUCCEEDED)
    await stand.pass_time(MINUTE)
    again = await stand.ask(paid, 100, caller_key="key-1")
    assert (first.status, again.status) == (Status.PENDING, Status.PENDING)
    assert again.refund.id == first.refund.id
    assert again.refund.status is Status.SUCCEEDED
    assert await stand.reserved(paid) == 100


@pytest.mark.parametrize("other", [{"amount": 101}, {"reason": "another"}, {"paid": True}])
async def test_a_key_that_stands_for_another_refund_is_refused(
    stand: Any, other: dict[str, Any]
) -> None:
    paid, another = await stand.paid(), await stand.paid()
    await stand.ask(paid, 100, caller_key="key-1")
    with pytest.raises(Conflict):
        await stand.ask(
            another if other.get("paid") else paid,
            other.get("amount", 100),
            reason=other.get("reason", ""),
            caller_key="key-1",
        )
    assert [await stand.reserved(one) for one in (paid, another)] == [100, 0]


async def test_without_a_key_two_equal_requests_are_two_refunds(stand: Any) -> None:
    paid = await stand.paid()
    one, two = await stand.ask(paid, 100), await stand.ask(paid, 100)
    assert one.refund.id != two.refund.id
    assert await stand.reserved(paid) == 200


async def test_two_at_once_that_exceed_the_payment_together(
    stand: Any, make_stand: Any, db: Any
) -> None:
    paid = await stand.paid()
    other = make_stand(db, stand.provider)
    asked = [place.ask(paid, 40_000) for place in (stand, other, stand, other)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Asked"] + ["Invalid"] * 3
    assert len(stand.provider.refunds_sent) == 1
    assert await stand.reserved(paid) == 40_000


@pytest.mark.parametrize(
    "told", ["lost", Unclear("timeout"), Unclear("http_500"), Throttled()], ids=str
)
async def test_an_unclear_outcome_is_repeated_with_the_same_key_and_bytes(
    stand: Any, told: Any
) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = [told]
    asked = await stand.ask(paid, 15_000)
    assert asked.status is Status.CREATING
    assert await stand.reserved(paid) == 15_000
    await stand.pass_time(3 * SECOND)
    assert len(stand.provider.refunds_sent) == 2
    assert stand.provider.refunds_sent[0] == stand.provider.refunds_sent[1]
    assert len(stand.provider.refunds) == 1
    assert (await stand.refund(asked.refund.id)).status is Status.SUCCEEDED
    assert len(await stand.said("refund.succeeded")) == 1


async def test_killed_between_reserve_and_send(stand: Any, monkeypatch: Any) -> None:
    paid = await stand.paid()

    async def killed(*_: Any) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr("shared.gateway.refund_sending.send", killed)
        asked = await stand.ask(paid, 15_000)
    assert asked.status is Status.CREATING
    assert stand.provider.refunds_sent == []
    await stand.pass_time(79 * SECOND)
    assert stand.provider.refunds_sent == [], "the lease of whoever was killed still runs"
    await stand.pass_time(2 * SECOND)
    assert (await stand.refund(asked.refund.id)).status is Status.SUCCEEDED
    assert await stand.reserved(paid) == 15_000


async def test_the_request_is_stored_sealed(stand: Any) -> None:
    paid = await stand.paid()
    await stand.ask(paid, 15_000)
    (row,) = await stand.rows(refunds.refund)
    assert paid.provider_payment_id.encode() not in row.request
    assert stand.gateway.unsealed(row.request) == stand.provider.refunds_sent[0][1]


async def test_a_definite_refusal_frees_the_reserve_and_is_said(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = [Refused("invalid_request", "Remaining payment amount")]
    asked = await stand.ask(paid, 64_950)
    assert (asked.status, asked.refund.failure) == (Status.CANCELED, "invalid_request")
    assert await stand.reserved(paid) == 0
    (event,) = await stand.said("refund.failed")
    assert event.data["reason"] == "invalid_request"
    assert event.data["provider_refund_id"] is None
    await stand.pass_time(DAY)
    assert len(stand.provider.refunds_sent) == 1
    assert (await stand.ask(paid, 65_000)).status is Status.SUCCEEDED


async def test_wrong_credentials_are_an_alarm(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = [Refused("invalid_credentials", ours=True)]
    assert (await stand.ask(paid, 100)).status is Status.CANCELED
    assert stand.alarms == ["provider_refuses_us"]


async def test_a_refused_repeat_proves_nothing_so_the_list_is_asked(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = ["lost", Refused("invalid_request")]
    asked = await stand.ask(paid, 15_000)
    await stand.pass_time(3 * SECOND)
    assert (await stand.refund(asked.refund.id)).status is Status.CREATING
    await stand.pass_time(121 * SECOND)
    assert (await stand.refund(asked.refund.id)).status is Status.SUCCEEDED
    assert len(stand.provider.refunds_sent) == 2
    assert await stand.reserved(paid) == 15_000


@pytest.mark.parametrize("made", [True, False])
async def test_after_a_day_it_is_looked_for_and_never_sent_again(stand: Any, made: bool) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = ["lost" if made else Unclear("timeout")]
    stand.provider.refund_creates += [Unclear("timeout")] * 1000
    asked = await stand.ask(paid, 15_000)
    stand.clock.advance(timedelta(hours=22, minutes=59))
    await stand.settle()
    sent = len(stand.provider.refunds_sent)
    await stand.pass_time(2 * MINUTE)
    done = await stand.refund(asked.refund.id)
    assert len(stand.provider.refunds_sent) == sent
    assert (done.status, done.failure) == (
        (Status.SUCCEEDED, "") if made else (Status.CANCELED, "unmade")
    )
    assert await stand.reserved(paid) == (15_000 if made else 0)


async def test_a_list_that_cannot_be_read_decides_nothing(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = [Unclear("timeout"), Refused("invalid_request")]
    asked = await stand.ask(paid, 15_000)
    await stand.pass_time(3 * SECOND)
    stand.provider.refund_lists = [RefundPage([], None, unreadable=1), Unclear("http_500")]
    await stand.pass_time(121 * SECOND)
    assert (await stand.refund(asked.refund.id)).status is Status.CREATING
    assert stand.alarms == ["provider_list_unreadable"]
    for _ in range(3):
        await stand.pass_time(MINUTE)
    assert (await stand.refund(asked.refund.id)).failure == "unmade"


async def test_canceled_without_a_callback(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_ends = [Status.PENDING]
    asked = await stand.ask(paid, 15_000)
    assert asked.status is Status.PENDING
    stand.provider.end_refund(
        asked.refund.provider_refund_id, Status.CANCELED, "insufficient_funds"
    )
    await stand.pass_time(19 * SECOND)
    assert await stand.reserved(paid) == 15_000
    await stand.pass_time(SECOND)
    done = await stand.refund(asked.refund.id)
    assert (done.status, done.failure) == (Status.CANCELED, "insufficient_funds")
    assert await stand.reserved(paid) == 0
    (event,) = await stand.said("refund.failed")
    assert event.data["provider_refund_id"] == asked.refund.provider_refund_id
    await stand.pass_time(DAY)
    assert await stand.reserved(paid) == 0, "freed exactly once"
    assert len(stand.provider.refunds_sent) == 1, "trying again is a person's decision"


async def test_a_pending_refund_that_vanishes_stays_reserved(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_ends = [Status.PENDING]
    asked = await stand.ask(paid, 15_000)
    stand.provider.refunds.clear()
    await stand.pass_time(20 * SECOND)
    await stand.pass_time(25 * timedelta(hours=1))
    assert stand.alarms.count("refund_vanished") == 2
    assert await stand.reserved(paid) == 15_000
    assert (await stand.refund(asked.refund.id)).status is Status.PENDING


async def test_the_reserve_gives_no_more_than_the_rest_to_anybody(stand: Any) -> None:
    paid = await stand.paid()
    pending = (await stand.wish()).payment
    async with transaction(stand.gateway.db) as tx:
        assert await reserve.take(tx, paid.id, 40_000)
        assert not await reserve.take(tx, paid.id, 25_001)
        assert await reserve.take(tx, paid.id, 25_000)
        assert not await reserve.take(tx, pending.id, 1)


async def test_a_refusal_that_comes_after_the_lease_ends_nothing(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = [Unclear("timeout")]
    asked = await stand.ask(paid, 15_000)
    stand.clock.advance(3 * SECOND)
    async with transaction(stand.gateway.db) as tx:
        (late,) = await refund_leases.claim(tx, stand.clock(), 1, SECOND)
    stand.clock.advance(2 * SECOND)
    async with transaction(stand.gateway.db) as tx:
        await refund_leases.claim(tx, stand.clock(), 1, MINUTE)
        ended = await refund_settling.end(tx, stand.gateway, late, "late", stand.clock())
    assert ended is None
    assert (await stand.refund(asked.refund.id)).status is Status.CREATING
    assert await stand.reserved(paid) == 15_000


async def test_a_refusal_of_what_was_made_meanwhile_ends_nothing(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.slow = asyncio.Event()
    stand.provider.heard.clear()
    stand.provider.refund_creates = [Refused("invalid_request")]
    asking = asyncio.create_task(stand.ask(paid, 15_000))
    await stand.provider.heard.wait()
    (row,) = await stand.rows(refunds.refund)
    stand.provider.refund_ends = [Status.PENDING]
    told = stand.provider.send_back(paid.provider_payment_id, 15_000, refund_id=row.id)
    await stand.refund_callback(told, paid.provider_payment_id)
    stand.provider.slow.set()
    await asking
    await stand.gateway.creations.drain()
    assert (await stand.refund(row.id)).status is Status.PENDING
    assert await stand.reserved(paid) == 15_000


def _forgets_ids(stand: Any) -> None:
    """Have the provider give no id of ours back with its refunds."""
    for told in list(stand.provider.refunds.values()):
        forgetful = replace(told, refund_id=None, request_id=None)
        stand.provider.refunds[told.id] = forgetful


async def _asked_a_second_later(stand: Any, paid: Any) -> Any:
    stand.clock.advance(SECOND)
    return await stand.ask(paid, 20_000)


async def test_a_callback_without_our_id_before_the_answer_reserves_once(stand: Any) -> None:
    """Row 1 for refunds: what we have sent and not heard of is what the callback speaks of."""
    paid = await stand.paid()
    stand.provider.refund_creates = ["lost"]
    asked = await stand.ask(paid, 40_000, reason="moved away")
    assert asked.status is Status.CREATING
    _forgets_ids(stand)
    (told,) = stand.provider.refunds.values()
    await stand.refund_callback(told.id, paid.provider_payment_id)
    (row,) = await stand.rows(refunds.refund)
    assert (row.id, row.provider_refund_id) == (asked.refund.id, told.id)
    assert await stand.reserved(paid) == 40_000
    await stand.pass_time(30 * MINUTE)
    assert len(stand.provider.refunds) == 1
    assert len(await stand.rows(refunds.refund)) == 1
    (event,) = await stand.said("refund.succeeded")
    assert event.data["reason"] == "moved away"
    assert stand.alarms == []


async def test_two_alike_that_change_places_are_two(stand: Any) -> None:
    """The callback of the second comes first and is taken for the first's, and the other way."""
    paid = await stand.paid()
    stand.provider.refund_creates = ["lost", "lost"]
    asked = [await _asked_a_second_later(stand, paid) for _ in range(2)]
    _forgets_ids(stand)
    for told in reversed(list(stand.provider.refunds)):
        await stand.refund_callback(told, paid.provider_payment_id)
    await stand.pass_time(30 * MINUTE)
    rows = await stand.rows(refunds.refund)
    assert {row.id for row in rows} == {one.refund.id for one in asked}
    assert {row.provider_refund_id for row in rows} == set(stand.provider.refunds)
    assert await stand.reserved(paid) == 40_000
    assert len(await stand.said("refund.succeeded")) == 2
    assert stand.alarms == []


async def test_an_answer_taken_for_another_is_made_up_for(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = ["lost", "lost"]
    asked = [await _asked_a_second_later(stand, paid) for _ in range(2)]
    _forgets_ids(stand)
    first, second = stand.provider.refunds
    await stand.refund_callback(second, paid.provider_payment_id)
    await stand.pass_time(MINUTE)
    await stand.pass_time(2 * MINUTE)
    rows = {row.id: row.provider_refund_id for row in await stand.rows(refunds.refund)}
    assert rows == {asked[0].refund.id: second, asked[1].refund.id: first}
    assert await stand.reserved(paid) == 40_000
    assert stand.alarms == []


async def test_a_refund_without_our_id_is_found_in_the_list_by_its_amount(stand: Any) -> None:
    paid = await stand.paid()
    profile = stand.provider.send_back(paid.provider_payment_id, 10_000)
    await stand.refund_callback(profile, paid.provider_payment_id)
    stand.provider.refund_creates = ["lost", *[Unclear("http_500")] * 3000]
    stand.provider.refund_ends = [Status.PENDING]
    asked = await stand.ask(paid, 10_000)
    _forgets_ids(stand)
    await stand.pass_time(DAY)
    found = await stand.refund(asked.refund.id)
    assert found.provider_refund_id not in (None, profile)
    assert found.status is Status.PENDING
    assert await stand.reserved(paid) == 20_000
    assert "refund_under_another_id" not in stand.alarms


async def test_another_amount_is_another_refund(stand: Any) -> None:
    paid = await stand.paid()
    stand.provider.refund_creates = [Unclear("http_500")]
    asked = await stand.ask(paid, 40_000)
    profile = stand.provider.send_back(paid.provider_payment_id, 20_000)
    await stand.refund_callback(profile, paid.provider_payment_id)
    assert (await stand.refund(asked.refund.id)).provider_refund_id is None
    assert await stand.reserved(paid) == 60_000
