"""Refunds: the bank sends money back as often as it is asked, so it is asked once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from gateway_sbp.acquirers.tbank import refund_rows
from gateway_sbp.acquirers.tbank.api import TBank
from gateway_sbp.acquirers.tbank.wire.refunds import PARKED_AFTER
from sbp_tbank import Fault, breaks_after, drops, drops_after, fails, refuses
from sbp_terminal import PRICE, Place
from shared.db import reading
from shared.gateway.provider import (
    Failure,
    ProviderRefund,
    RefundPage,
    Status,
    Throttled,
    Unclear,
)

PART = 10_000
LATE = PARKED_AFTER + timedelta(seconds=1)


async def send(place: Place, request: bytes) -> ProviderRefund | Failure:
    """Ask for a refund."""
    return await place.shop.create_refund("key", request)


async def listed(place: Place, payment: str) -> RefundPage | Failure:
    """Return the refunds of a payment."""
    now = place.clock()
    return await place.shop.refunds_listed(now, now, None, payment)


def sent(place: Place) -> int:
    """Return how often the bank was asked to send money back."""
    return len(place.bank.asked("Cancel"))


@pytest.mark.parametrize("kopecks", [PART, PRICE])
@pytest.mark.parametrize("shows_rest", [True, False])
@pytest.mark.parametrize("fault", [drops_after, breaks_after])
async def test_a_refund_whose_answer_is_lost_is_never_sent_again(
    place: Place, kopecks: int, shows_rest: bool, fault: Fault
) -> None:
    place.bank.shows_rest = shows_rest
    payment = await place.paid()
    request = place.back(payment, kopecks)
    place.bank.faults["Cancel"] = [fault]

    first = await send(place, request)
    again = await send(place, request)

    assert isinstance(first, Unclear)
    assert not first.unsent
    assert isinstance(again, ProviderRefund)
    assert (again.status, again.amount_kopecks) == (Status.SUCCEEDED, kopecks)
    assert sent(place) == 1
    assert place.bank.payments[payment].left == PRICE - kopecks
    page = await listed(place, payment)
    assert isinstance(page, RefundPage)
    assert [one.id for one in page.refunds] == [again.id]


async def test_only_what_is_parked_can_be_resolved(place: Place) -> None:
    payment, refund = await place.paid(), uuid4()
    place.bank.faults["Cancel"] = [drops]
    await send(place, place.back(payment, PART, refund))

    for happened in (True, False):
        assert not await refund_rows.resolve(place.db, place.shop.shop, str(refund), happened)


async def test_two_hands_at_once_send_one_refund(place: Place) -> None:
    payment, refund = await place.paid(), uuid4()
    request = place.back(payment, PART, refund)
    other = TBank(place.account, place.db, place.clock)
    async with other.connected():
        hands = [shop.create_refund("key", request) for shop in (place.shop, other) * 3]
        await asyncio.gather(*hands)

    assert sent(place) == 1
    assert place.bank.payments[payment].left == PRICE - PART


async def test_the_second_of_two_equal_parts_is_told_from_the_first(place: Place) -> None:
    payment = await place.paid()
    await send(place, place.back(payment))
    request = place.back(payment)
    place.bank.faults["Cancel"] = [drops]

    assert isinstance(await send(place, request), Unclear)
    assert isinstance(await send(place, request), Unclear)
    assert isinstance(await listed(place, payment), Unclear)


@pytest.mark.parametrize("lost", [True, False])
async def test_a_refund_that_the_payers_bank_did_not_take(place: Place, lost: bool) -> None:
    place.bank.works_on_refunds = True
    payment = await place.paid()
    request = place.back(payment)
    place.bank.faults["Cancel"] = [drops_after] if lost else []
    await send(place, request)
    await send(place, request)
    place.bank.finish(payment, code="I01")

    found = await send(place, request)

    assert isinstance(found, ProviderRefund)
    assert (found.status, found.reason) == (Status.CANCELED, "I01")
    assert sent(place) == 1
    place.bank.works_on_refunds = False
    anew = await send(place, place.back(payment))
    assert isinstance(anew, ProviderRefund)
    assert anew.status is Status.SUCCEEDED


NO_QR_STATE = [fails(404), refuses("3")]


@pytest.mark.parametrize("fault", NO_QR_STATE)
@pytest.mark.parametrize("lost", [True, False])
async def test_without_its_state_of_codes_the_payment_alone_tells(
    place: Place, fault: Fault, lost: bool
) -> None:
    place.bank.works_on_refunds = not lost
    place.bank.faults["GetQrState"] = [fault] * 9
    place.bank.faults["Cancel"] = [drops_after] if lost else []
    payment = await place.paid()
    request = place.back(payment)
    await send(place, request)
    place.bank.finish(payment)

    found = await send(place, request)

    assert isinstance(found, ProviderRefund)
    assert found.status is Status.SUCCEEDED


async def test_a_refund_that_was_taken_and_vanishes_is_given_to_a_person(place: Place) -> None:
    place.bank.works_on_refunds = True
    payment = await place.paid()
    request = place.back(payment)
    assert isinstance(await send(place, request), ProviderRefund)
    paid = place.bank.payments[payment]
    paid.status, paid.left = "CONFIRMED", PRICE

    place.clock.advance(LATE)
    await send(place, request)

    async with reading(place.db) as tx:
        assert len(await refund_rows.parked(tx)) == 1
    assert sent(place) == 1


async def test_what_was_turned_away_unread_is_sent_again(place: Place) -> None:
    payment = await place.paid()
    request = place.back(payment)
    place.bank.faults["Cancel"] = [fails(429)]

    assert isinstance(await send(place, request), Throttled)
    assert isinstance(await send(place, request), ProviderRefund)
    assert place.bank.payments[payment].left == PRICE - PART


@pytest.mark.parametrize("fault", [drops, fails(500), fails(429)])
async def test_without_the_state_before_nothing_is_sent(place: Place, fault: Fault) -> None:
    payment = await place.paid()
    place.bank.faults["GetState"] = [fault]

    assert isinstance(await send(place, place.back(payment)), Unclear | Throttled)
    assert sent(place) == 0


def cabinet(place: Place, payment: str, kopecks: int) -> None:
    """Send money back as a person does in the bank's cabinet."""
    place.bank.payments[payment].left -= kopecks
    place.bank.finish(payment)


async def test_what_was_sent_back_without_us_is_found(place: Place) -> None:
    payment = await place.paid()
    await send(place, place.back(payment))
    cabinet(place, payment, 1_000)
    first = await listed(place, payment)
    cabinet(place, payment, PRICE - PART - 1_000)
    second = await listed(place, payment)

    assert isinstance(first, RefundPage)
    assert isinstance(second, RefundPage)
    assert sorted(one.amount_kopecks for one in first.refunds) == [1_000, PART]
    amounts = sorted(one.amount_kopecks for one in second.refunds)
    assert amounts == [1_000, PART, PRICE - PART - 1_000]
    strays = [one for one in second.refunds if one.refund_id is None]
    assert len({one.id for one in strays}) == 2
    assert {one.id for one in first.refunds} <= {one.id for one in second.refunds}
    for one in second.refunds:
        known: Any = await place.shop.fetch_refund(one.id)
        assert (known.id, known.status) == (one.id, Status.SUCCEEDED)
    again = await listed(place, payment)
    assert again == second
