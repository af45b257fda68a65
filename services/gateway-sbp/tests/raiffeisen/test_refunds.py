"""Refunds: asked about before they are asked for, and never of another payment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from gateway_sbp import exact, signed
from gateway_sbp.acquirers.raiffeisen.wire import refunds
from sbp_books import SHOP, make_place, proven
from shared.gateway.provider import Missing, ProviderRefund, RefundOrder, Refused, Status, Unclear

CODE = "AD1000SIMULATEDQRID0000000000001"
OURS = UUID("0f9c0000000040008000000000000001")
INFO = f"GET /sbp/v1/qr/{CODE}/payment-info"
SEND = "POST /sbp/v1/refund"
LOOK = f"GET /sbp/v1/refund/{OURS.hex}"
NOWHERE = {"code": "ERROR.REFUND_NOT_FOUND"}
NAME = f"{OURS.hex}:{CODE}"
PAID_AT = datetime(2026, 2, 3, 9, tzinfo=UTC)
PAID = {
    "code": "SUCCESS",
    "qrId": CODE,
    "order": "0f9c",
    "transactionId": 900_000_000_001,
    "paymentStatus": "SUCCESS",
}


def refund(status: str = "IN_PROGRESS", amount: float = 100, **changes: Any) -> dict[str, Any]:
    """Return what the bank says of a refund."""
    return {"code": "SUCCESS", "amount": amount, "refundStatus": status, **changes}


def request(at: Any, payment: str = CODE, amount: int = 10_000) -> bytes:
    order = RefundOrder(OURS, payment, amount, False)
    made: bytes = at.raiffeisen.refund_request(order)
    return made


async def _book(at: Any, transaction: str = "900001", order: str = "c-100245") -> None:
    """Book a payment by a code on paper, whose callback has come."""
    place = make_place(at.db)
    await signed.book(place.gateway, proven(transaction, order=order), place.clock())


async def test_a_refund_of_a_code_names_its_order_and_transaction(at: Any) -> None:
    at.bank.say(LOOK, NOWHERE)
    at.bank.say(INFO, PAID)
    at.bank.say(SEND, refund())
    made = await at.raiffeisen.create_refund("key", request(at))
    assert isinstance(made, ProviderRefund)
    assert (made.id, made.provider_payment_id, made.refund_id) == (NAME, CODE, OURS)
    assert (made.status, made.amount_kopecks) == (Status.PENDING, 10_000)
    (asked,) = at.bank.sent()
    assert asked == {
        "order": "0f9c",
        "refundId": OURS.hex,
        "amount": exact.Number("100.00"),
        "paymentDetails": asked["paymentDetails"],
        "transactionId": exact.Number("900000000001"),
    }
    assert len(asked["paymentDetails"]) <= 140
    assert at.bank.calls == [LOOK, INFO, SEND]


async def test_a_refund_of_paper_names_the_transaction_that_was_booked(at: Any) -> None:
    """The order of such a code repeats; where both are sent the bank looks at the transaction."""
    await _book(at, "900001")
    await _book(at, "900002", "c-100246")
    at.bank.say(LOOK, NOWHERE)
    at.bank.say(SEND, refund())
    made = await at.raiffeisen.create_refund("key", request(at, "900002"))
    assert made.provider_payment_id == "900002"
    (asked,) = at.bank.sent()
    assert (asked["order"], asked["transactionId"]) == ("c-100246", "900002")


async def test_nothing_is_sent_for_a_payment_that_nobody_knows(at: Any) -> None:
    at.bank.say(LOOK, NOWHERE)
    found = await at.raiffeisen.create_refund("key", request(at, "900009"))
    assert found == Refused("unknown_payment")
    assert await at.raiffeisen.fetch("900009") == Missing()
    assert at.bank.sent() == []


async def test_a_payment_by_paper_is_known_from_its_callback(at: Any) -> None:
    await _book(at)
    found = await at.raiffeisen.fetch("900001")
    assert (found.id, found.shop, found.status) == ("900001", SHOP, Status.SUCCEEDED)
    assert (found.amount_kopecks, found.paid_at) == (35_050, PAID_AT)
    assert at.bank.asked == []


@pytest.mark.parametrize(
    "said", [{**PAID, "qrId": "AD2"}, {**PAID, "order": None}, {**PAID, "transactionId": "A"}]
)
async def test_the_pair_is_checked(at: Any, said: Any) -> None:
    at.bank.say(LOOK, NOWHERE)
    at.bank.say(INFO, said)
    assert isinstance(await at.raiffeisen.create_refund("key", request(at)), Unclear)
    assert at.bank.sent() == []


async def test_a_lost_answer_never_sends_back_twice(at: Any) -> None:
    at.bank.say(LOOK, NOWHERE)
    at.bank.say(LOOK, refund("COMPLETED"))
    at.bank.say(INFO, PAID)
    at.bank.lose(SEND)
    assert isinstance(await at.raiffeisen.create_refund("key", request(at)), Unclear)
    made = await at.raiffeisen.create_refund("key", request(at))
    assert (made.status, len(at.bank.sent())) == (Status.SUCCEEDED, 1)


async def test_what_did_not_arrive_is_sent_again_under_the_same_id(at: Any) -> None:
    at.bank.say(LOOK, NOWHERE)
    at.bank.say(INFO, PAID)
    at.bank.lose(SEND)
    at.bank.say(SEND, refund())
    for _ in range(2):
        await at.raiffeisen.create_refund("key", request(at))
    assert [asked["refundId"] for asked in at.bank.sent()] == [OURS.hex] * 2


@pytest.mark.parametrize("status", [404, 429, 500])
async def test_without_an_answer_nothing_is_sent(at: Any, status: int) -> None:
    at.bank.say(LOOK, b"", status)
    assert not isinstance(await at.raiffeisen.create_refund("key", request(at)), ProviderRefund)
    assert at.bank.sent() == []


async def test_more_than_is_left_is_refused_with_a_reason(at: Any) -> None:
    at.bank.say(LOOK, NOWHERE, 404)
    at.bank.say(INFO, PAID)
    at.bank.say(SEND, {"code": "ERROR.REFUND_INSUFFICIENT_FUNDS", "message": "Нет"})
    found = await at.raiffeisen.create_refund("key", request(at))
    assert found == Refused("ERROR.REFUND_INSUFFICIENT_FUNDS", "Нет")
    explained = at.raiffeisen.explained(found.code)
    assert explained is not None
    assert "осталось" in explained.ru
    assert at.raiffeisen.explained("unheard of") is None


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (refund("IN_PROGRESS"), Status.PENDING, ""),
        (refund("COMPLETED"), Status.SUCCEEDED, ""),
        (refund("DECLINED"), Status.CANCELED, "DECLINED"),
        (refund("DECLINED", declineReason="TIMEOUT"), Status.CANCELED, "TIMEOUT"),
        (refund("НОВОЕ"), Status.PENDING, ""),
        ({"amount": 100.0, "status": {"value": "COMPLETED", "date": "d"}}, Status.SUCCEEDED, ""),
    ],
)
async def test_how_a_refund_stands(at: Any, said: Any, status: Status, reason: str) -> None:
    at.bank.say(LOOK, said)
    found = await at.raiffeisen.fetch_refund(NAME)
    assert (found.id, found.status, found.reason) == (NAME, status, reason)
    assert (found.amount_kopecks, found.refund_id) == (10_000, OURS)


async def test_a_refund_made_in_the_cabinet_is_asked_about_by_its_own_id(at: Any) -> None:
    """The register names it; what we call it says whose it is."""
    at.bank.say("GET /sbp/v1/refund/rf-0001", refund("COMPLETED"))
    found = await at.raiffeisen.fetch_refund(refunds.called("rf-0001", CODE))
    assert (found.refund_id, found.provider_payment_id) == (None, CODE)
    assert (found.status, found.id) == (Status.SUCCEEDED, f"rf-0001:{CODE}")


@pytest.mark.parametrize("name", ["", ":", "../x:1", "0f0f/..:1", "row-1:1", "line-1"])
async def test_what_the_bank_cannot_know_is_not_asked_about(at: Any, name: str) -> None:
    assert await at.raiffeisen.fetch_refund(name) == Missing()
    assert at.bank.asked == []


@pytest.mark.parametrize("said", [{"amount": 5}, refund(amount=1.005), {}])
async def test_an_answer_that_is_none(at: Any, said: Any) -> None:
    at.bank.say(LOOK, said)
    assert isinstance(await at.raiffeisen.fetch_refund(NAME), Unclear)
