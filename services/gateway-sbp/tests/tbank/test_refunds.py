"""Refunds, where it is hard to tell what came of them; the plain cases: `test_sending_back`."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import UUID

import orjson
import pytest

from gateway_sbp.acquirers.tbank import refund_rows
from gateway_sbp.acquirers.tbank.wire.refunds import State
from shared.db import open_database, reading
from shared.gateway.provider import ProviderRefund, Refused, Status, Throttled, Unclear


def named(request: bytes) -> str:
    """Return the id of a request's refund."""
    return str(orjson.loads(request)["ExternalRequestId"])


async def state(at: Any, request: bytes) -> State | None:
    """Return how a refund stands in our table."""
    row = await refund_rows.find(at.db, at.tbank.shop, named(request))
    return None if row is None else row.state


def rest(at: Any, payment: str) -> int:
    """Return what the bank really has left of a payment."""
    return int(at.bank.payments[payment]["rest"])


async def test_the_second_part_whose_answer_is_lost(at: Any) -> None:
    payment = await at.paid()
    await at.tbank.create_refund("key", at.refund(payment, 30_000))
    request = at.refund(payment, 30_000)
    at.bank.lost.append("Cancel")
    assert isinstance(await at.tbank.create_refund("key", request), Unclear)

    assert (await at.tbank.create_refund("key", request)).status is Status.SUCCEEDED
    assert (at.bank.times("Cancel"), rest(at, payment)) == (2, 40_000)


async def test_the_second_part_where_the_bank_shows_what_was_paid(at: Any) -> None:
    """Neither the status nor the amount changes, so only a person can tell."""
    at.bank.shows_rest = False
    payment = await at.paid()
    first = await at.tbank.create_refund("key", at.refund(payment, 30_000))
    assert first.status is Status.SUCCEEDED
    request = at.refund(payment, 30_000)
    at.bank.lost.append("Cancel")
    await at.tbank.create_refund("key", request)
    at.pass_by(minutes=11)

    assert isinstance(await at.tbank.create_refund("key", request), Unclear)
    assert (at.alarms, at.bank.times("Cancel")) == (["refund_parked"], 2)


async def test_all_of_it_whose_answer_is_lost(at: Any) -> None:
    payment = await at.paid()
    request = at.refund(payment, 100_000)
    at.bank.lost.append("Cancel")
    await at.tbank.create_refund("key", request)

    assert (await at.tbank.create_refund("key", request)).status is Status.SUCCEEDED
    assert at.bank.times("Cancel") == 1


async def test_it_is_parked_although_the_bank_does_not_answer_any_more(at: Any) -> None:
    payment = await at.paid()
    request = at.refund(payment, 30_000)
    at.bank.deaf.append("Cancel")
    await at.tbank.create_refund("key", request)
    at.pass_by(minutes=11)
    at.bank.say("GetState", b"", 500)

    assert isinstance(await at.tbank.create_refund("key", request), Unclear)
    assert at.alarms == ["refund_parked"]


@pytest.mark.parametrize("dashes", [True, False])
async def test_a_person_says_that_it_has_happened(at: Any, dashes: bool) -> None:
    payment = await at.paid()
    request = at.refund(payment, 30_000)
    at.bank.deaf.append("Cancel")
    await at.tbank.create_refund("key", request)
    told = str(UUID(named(request))) if dashes else named(request)
    assert not await refund_rows.resolve(at.db, at.tbank.shop, told, happened=True)
    at.pass_by(minutes=11)
    await at.tbank.create_refund("key", request)
    async with reading(at.db) as tx:
        waiting = await refund_rows.parked(tx)
    assert [(shop, row.refund_id) for shop, row in waiting] == [(at.tbank.shop, named(request))]

    assert await refund_rows.resolve(at.db, at.tbank.shop, told, happened=True)
    assert (await at.tbank.create_refund("key", request)).status is Status.SUCCEEDED
    assert [one.refund_id for one in (await at.listed(payment)).refunds] == [UUID(named(request))]
    assert at.bank.times("Cancel") == 1


async def test_another_amount_than_ours_proves_nothing(at: Any) -> None:
    payment = await at.paid()
    request = at.refund(payment, 30_000)
    at.bank.deaf.append("Cancel")
    await at.tbank.create_refund("key", request)
    at.bank.send_back(payment, 500)

    assert isinstance(await at.tbank.create_refund("key", request), Unclear)
    assert await state(at, request) is State.SENT


async def test_one_refund_of_a_payment_at_a_time(at: Any) -> None:
    payment = await at.paid()
    first, second = at.refund(payment, 30_000), at.refund(payment, 20_000)
    at.bank.lost.append("Cancel")
    await at.tbank.create_refund("key", first)

    waits = await at.tbank.create_refund("key", second)
    assert isinstance(waits, Unclear)
    assert waits.unsent
    assert at.bank.times("Cancel") == 1
    assert (await at.tbank.create_refund("key", first)).status is Status.SUCCEEDED
    assert (await at.tbank.create_refund("key", second)).status is Status.SUCCEEDED
    assert rest(at, payment) == 50_000


async def test_many_at_once_send_no_more_than_was_asked(at: Any) -> None:
    payment = await at.paid()
    requests = [at.refund(payment, amount) for amount in (10_000, 20_000, 30_000)]

    async def until_done(request: bytes) -> ProviderRefund:
        async with asyncio.timeout(20):
            while True:
                made = await at.tbank.create_refund("key", request)
                if isinstance(made, ProviderRefund):
                    return made

    made = await asyncio.gather(*(until_done(request) for request in requests * 2))
    assert {one.status for one in made} == {Status.SUCCEEDED}
    assert (at.bank.times("Cancel"), rest(at, payment)) == (3, 40_000)


@pytest.mark.parametrize(
    ("status", "body"), [(429, b""), (200, b'{"Success":false,"ErrorCode":"8","Message":"No"}')]
)
async def test_a_definite_no(at: Any, status: int, body: bytes) -> None:
    payment = await at.paid()
    request = at.refund(payment, 30_000)
    at.bank.say("Cancel", body, status)

    refused = await at.tbank.create_refund("key", request)
    if status == 429:
        assert isinstance(refused, Throttled)
        assert await state(at, request) is None
        assert (await at.tbank.create_refund("key", request)).status is Status.SUCCEEDED
    else:
        assert isinstance(refused, Refused)
        again = await at.tbank.create_refund("key", request)
        assert (again.status, again.reason) == (Status.CANCELED, "8")
        assert [one.status for one in (await at.listed(payment)).refunds] == [Status.CANCELED]
        assert at.bank.times("Cancel") == 1


@pytest.mark.parametrize("more", [{"PaymentId": "9"}, {"Status": None}])
async def test_an_answer_without_sense_is_no_yes(at: Any, more: dict[str, Any]) -> None:
    payment = await at.paid()
    request = at.refund(payment, 30_000)
    at.bank.say("Cancel", {"Success": True, "ErrorCode": "0", "Status": "REFUNDED", **more})

    assert isinstance(await at.tbank.create_refund("key", request), Unclear)
    assert await state(at, request) is State.SENT


@pytest.mark.parametrize("word", ["NEW", "FORM_SHOWED", "REFUNDED", "CANCELED"])
async def test_nothing_is_sent_back_of_nothing(at: Any, word: str) -> None:
    """`Cancel` of an unpaid payment would only end it."""
    payment = await at.paid()
    at.bank.become(payment, word)

    refused = await at.tbank.create_refund("key", at.refund(payment, 30_000))
    assert isinstance(refused, Refused)
    assert at.tbank.explained(refused.code).ru
    assert at.bank.times("Cancel") == 0


@pytest.mark.parametrize("lost", [True, False])
async def test_the_bank_works_on_it_first(at: Any, lost: bool) -> None:
    at.bank.refunds_later = True
    payment = await at.paid()
    request = at.refund(payment, 30_000)
    if lost:
        at.bank.lost.append("Cancel")
    made = await at.tbank.create_refund("key", request)
    assert isinstance(made, Unclear) if lost else made.status is Status.PENDING
    at.pass_by(minutes=30)
    waits = await at.tbank.create_refund("key", request)
    assert isinstance(waits, Unclear) if lost else waits.status is Status.PENDING
    assert (await at.tbank.fetch(payment)).refunded_kopecks == 0

    at.bank.become(payment, at.bank.payments[payment]["later"])
    assert (await at.tbank.create_refund("key", request)).status is Status.SUCCEEDED
    assert (at.bank.times("Cancel"), at.alarms) == (1, [])


async def test_an_old_error_says_nothing_of_a_refund_without_an_answer(at: Any) -> None:
    payment = await at.paid()
    at.bank.codes[payment] = "I05043"
    request = at.refund(payment, 30_000)
    at.bank.deaf.append("Cancel")
    await at.tbank.create_refund("key", request)

    assert isinstance(await at.tbank.create_refund("key", request), Unclear)
    assert await state(at, request) is State.SENT


async def test_what_was_sent_back_without_us_is_found(at: Any) -> None:
    payment = await at.paid()
    await at.tbank.create_refund("key", at.refund(payment, 30_000))
    for amount, left in ((500, 69_500), (700, 68_800)):
        at.pass_by(minutes=1)
        at.bank.send_back(payment, amount)
        stands = await at.tbank.fetch(payment)
        assert stands.refunded_kopecks == 100_000 - left
        for _ in range(2):
            newest, *_ = (await at.listed(payment)).refunds
            assert (newest.id, newest.amount_kopecks) == (f"{payment}:{left}", amount)
            assert (newest.status, newest.refund_id) == (Status.SUCCEEDED, None)
        assert await at.tbank.fetch_refund(newest.id) == newest
    assert sum(one.amount_kopecks for one in (await at.listed(payment)).refunds) == 31_200


async def test_a_part_of_unknown_size_is_an_alarm(at: Any) -> None:
    at.bank.shows_rest = False
    payment = await at.paid()
    at.bank.send_back(payment, 500)

    assert (await at.tbank.fetch(payment)).refunded_kopecks == 0
    assert at.alarms == ["refund_of_unknown_amount"]


async def test_another_process_goes_on_where_this_one_died(at: Any, database_url: str) -> None:
    """What was committed before the request left is all that a new process has."""
    payment = await at.paid()
    request = at.refund(payment, 30_000)
    at.bank.lost.append("Cancel")
    await at.tbank.create_refund("key", request)
    other = open_database(database_url)
    at.tbank._terminal.db = other

    assert (await at.tbank.create_refund("key", request)).status is Status.SUCCEEDED
    assert at.bank.times("Cancel") == 1
    await other.close()
