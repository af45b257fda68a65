"""Answers that leave a doubt: about another payment, of a method that is not there, of several."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway_sbp import exact
from gateway_sbp.acquirers.tbank import refund_rows
from gateway_sbp.acquirers.tbank.wire import payments
from gateway_sbp.acquirers.tbank.wire.refunds import PARKED_AFTER
from sbp_tbank import drops, drops_after, fails, says
from sbp_terminal import PRICE, Place
from shared.db import reading
from shared.gateway.method import ProviderMethod
from shared.gateway.provider import ProviderPayment, ProviderRefund, Unclear

ASKED = {"TerminalKey": "T", "OrderId": "o", "Amount": 35_050}


@pytest.mark.parametrize("other", [{"PaymentId": "4000000999"}, {"OrderId": "another"}])
async def test_a_code_of_another_payment_is_shown_to_nobody(
    place: Place, other: dict[str, Any]
) -> None:
    request = place.shop.request(place.order())
    place.bank.faults["GetQr"] = [says(**other)]

    assert isinstance(await place.shop.create("key", request), Unclear)
    assert isinstance(await place.shop.create("key", request), ProviderPayment)


@pytest.mark.parametrize(
    ("states", "found"),
    [
        (("NEW", "NEW"), "2"),
        (("REJECTED", "NEW"), "2"),
        (("CONFIRMED", "NEW"), "1"),
        (("CONFIRMED", "AUTHORIZING"), "1"),
        # Taking the new one would charge an account a second time.
        (("AUTHORIZING", "NEW"), "1"),
        (("FORM_SHOWED", "NEW"), "1"),
        (("AUTHORIZING", "REJECTED"), "1"),
        (("A_WORD_OF_NEXT_YEAR", "NEW"), "1"),
    ],
)
def test_of_several_payments_of_an_order_the_one_that_matters(
    states: tuple[str, ...], found: str
) -> None:
    listed = [{"PaymentId": n, "Status": state} for n, state in enumerate(states, 1)]
    said = exact.read(orjson.dumps({"OrderId": "o", "Payments": listed}))

    assert payments.of_order(ASKED, said) == found


async def parked(place: Place) -> int:
    """Return how many refunds wait for a person."""
    async with reading(place.db) as tx:
        return len(await refund_rows.parked(tx))


async def taken(place: Place) -> tuple[str, bytes]:
    """Return a payment and the refund that its bank has taken and works on."""
    place.bank.works_on_refunds = True
    payment = await place.paid()
    request = place.back(payment)
    assert isinstance(await place.shop.create_refund("key", request), ProviderRefund)
    place.clock.advance(PARKED_AFTER * 2)
    return payment, request


async def test_a_bank_that_does_not_answer_makes_no_taken_refund_doubtful(place: Place) -> None:
    payment, request = await taken(place)
    place.bank.faults["GetState"] = [drops, fails(500)]

    for _ in range(2):
        assert isinstance(await place.shop.create_refund("key", request), Unclear)
    assert await parked(place) == 0
    place.bank.finish(payment)
    ended = await place.shop.create_refund("key", request)
    assert isinstance(ended, ProviderRefund)
    assert ended.status == "succeeded"


async def test_a_bank_without_reasons_leaves_a_refund_that_vanished_to_a_person(
    place: Place,
) -> None:
    payment, request = await taken(place)
    paid = place.bank.payments[payment]
    paid.status, paid.left = "CONFIRMED", PRICE
    place.bank.faults["GetQrState"] = [fails(404)] * 3

    assert isinstance(await place.shop.create_refund("key", request), Unclear)
    assert await parked(place) == 1
    assert len(place.bank.asked("Cancel")) == 1


BEGUN = ("FORM_SHOWED", "AUTHORIZING", "AUTHORIZED", "CONFIRMED", "REJECTED", "NEXT_YEARS_WORD")


@pytest.mark.parametrize("status", BEGUN)
async def test_a_charge_that_has_begun_is_only_looked_at(place: Place, status: str) -> None:
    bound = await place.shop.bind("key", place.shop.binding("sbp", "https://pay.example/back"))
    assert isinstance(bound, ProviderMethod)
    place.bank.bindings[bound.token] = "ACTIVE"
    order = place.order(token=bound.token, charge_id="c-1", return_url=None)
    request = place.shop.request(order)
    place.bank.faults["ChargeQr"] = [drops_after]
    assert isinstance(await place.shop.create("key", request), Unclear)
    (payment,) = place.bank.payments.values()
    payment.status = status

    found = await place.shop.create("key", request)

    assert isinstance(found, ProviderPayment)
    assert (found.id, found.said) == (payment.id, status)
    assert (payment.charged, len(place.bank.asked("ChargeQr"))) == (1, 1)
