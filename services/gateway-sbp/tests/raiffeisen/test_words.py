"""What an answer means: the body's code, the status, and which of them decides."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import orjson
import pytest

from gateway_sbp.acquirers.raiffeisen.wire import words
from gateway_sbp.acquirers.raiffeisen.wire.words import meaning
from shared.gateway.answer import Answer
from shared.gateway.provider import Missing, Refused, Throttled, Unclear

BOTH = pytest.mark.parametrize("reading", [True, False])
OURS = UUID("0f9c0000000040008000000000000001")
CODES = [
    "ERROR.ACCOUNT_IS_NOT_REGISTERED",
    "ERROR.INVALID_REQUEST",
    "ERROR.QR_EXPIRATION_DATE_NOT_VALID",
    "ERROR.MERCHANT_NOT_REGISTERED",
    "ERROR.ORDER_NUMBER_ALREADY_REGISTERED",
    "ERROR.SBP_MERCHANT_ID_IS_MISSING",
    "ERROR.DYNAMIC_QR_WITHOUT_AMOUNT",
    "ERROR.INVALID_ORDER",
    "ERROR.WRONG_QR_STATUS",
    "ERROR.REFUND_INSUFFICIENT_FUNDS",
    "ORDER_HAS_FINAL_STATUS",
]


def _meaning(status: int, said: Any = b"", *, reading: bool = True) -> Any:
    body = said if isinstance(said, bytes) else orjson.dumps(said)
    return meaning(status, body, "", reading=reading)


@BOTH
@pytest.mark.parametrize("status", [200, 201])
@pytest.mark.parametrize(
    "said", [{}, {"code": "SUCCESS"}, {"code": None, "qrId": "1"}, {"qrStatus": "НОВЫЙ", "new": {}}]
)
def test_an_answer_of_either_version(said: Any, status: int, reading: bool) -> None:
    assert isinstance(_meaning(status, said, reading=reading), Answer)


@BOTH
@pytest.mark.parametrize("status", [200, 204])
@pytest.mark.parametrize("body", [b"", b"\r\n"])
def test_an_empty_answer_is_one(body: bytes, status: int, reading: bool) -> None:
    assert _meaning(status, body, reading=reading) == Answer({})


@BOTH
@pytest.mark.parametrize("status", [200, 400, 404, 409, 422])
@pytest.mark.parametrize("code", CODES)
def test_a_code_of_the_bank_is_a_no_whatever_the_status(
    code: str, status: int, reading: bool
) -> None:
    found = _meaning(status, {"code": code, "message": "Нет"}, reading=reading)
    assert found == Refused(code, "Нет")


@pytest.mark.parametrize("status", [200, 400, 404])
@pytest.mark.parametrize(
    "code",
    [
        "ERROR.NOT_FOUND",
        "ERROR.REFUND_NOT_FOUND",
        "ORDER_NOT_FOUND",
        "RECEIPT_NOT_FOUND",
        "NOT_FOUND",
    ],
)
def test_there_is_nothing_only_where_something_was_looked_for(code: str, status: int) -> None:
    assert _meaning(status, {"code": code}) == Missing()
    assert _meaning(status, {"code": code}, reading=False) == Refused(code)


@pytest.mark.parametrize("code", ["MERCHANT_NOT_FOUND", "FISCAL_CLIENT_NOT_FOUND"])
def test_an_account_that_is_not_set_up_is_not_a_thing_that_is_missing(code: str) -> None:
    assert _meaning(400, {"code": code}) == Refused(code)


@BOTH
@pytest.mark.parametrize(
    "body",
    [
        *(b"<html>", b"[]", b'"SUCCESS"', b"null", b"\xff", b'{"code":"FAIL"}', b'{"code":'),
        *(b'{"code":"SUCCESS"}garbage', b'{"code":0}'),
    ],
)
def test_with_200_something_that_is_no_answer(body: bytes, reading: bool) -> None:
    assert isinstance(_meaning(200, body, reading=reading), Unclear)


def test_a_path_that_the_bank_does_not_know_is_not_a_thing_that_is_missing() -> None:
    spring = {"timestamp": 1, "status": 404, "error": "Not Found", "path": "/api/sbp"}
    for body in (spring, b"", b"<html>"):
        assert _meaning(404, body) == Unclear("http_404")
        assert _meaning(404, body, reading=False) == Refused("http_404")


@BOTH
@pytest.mark.parametrize("said", [b"", b"<html>", {"code": "ERROR.INVALID_REQUEST"}])
def test_who_is_let_in_no_code_says(said: Any, reading: bool) -> None:
    denied = _meaning(401, said, reading=reading)
    assert denied == Refused("http_401", ours=True, locked_out=True)
    assert _meaning(403, said, reading=reading) == Refused("http_403", ours=True)
    assert _meaning(429, said, reading=reading) == Throttled()


@BOTH
@pytest.mark.parametrize("status", [500, 502, 503, 504, 408, 425, 302, 100])
@pytest.mark.parametrize("said", [b"", {"code": "SUCCESS"}])
def test_what_has_broken_down_may_have_been_done(status: int, said: Any, reading: bool) -> None:
    assert _meaning(status, said, reading=reading) == Unclear(f"http_{status}")


def test_a_refusal_within_a_breakdown_proves_nothing() -> None:
    said = {"code": "ERROR.INVALID_REQUEST"}
    assert _meaning(500, said, reading=False) == Unclear("http_500")


@BOTH
def test_no_answer_at_all(reading: bool) -> None:
    assert meaning(None, b"", "TimeoutError", reading=reading) == Unclear("TimeoutError")


def test_what_is_said_with_a_refusal_is_cut_and_holds_no_secrets() -> None:
    message = "почта user@example.com " + "x" * 1000
    found = _meaning(400, {"code": "ERROR.INVALID_REQUEST", "message": message})
    assert len(found.detail) <= words.DETAIL_MAX + 20
    assert "user@example.com" not in found.detail


@pytest.mark.parametrize("charge", [True, False])
def test_our_orders_name_their_payment(charge: bool) -> None:
    order = words.order_of(OURS, charge=charge)
    assert words.ORDER.fullmatch(order)
    assert words.payment_id(order) == OURS
    assert words.is_charge(order) is charge


@pytest.mark.parametrize(
    "order", ["C-100245", "c-100245", OURS.hex.upper(), f"b{OURS.hex}", OURS.hex[1:], str(OURS), ""]
)
def test_other_orders_name_none(order: str) -> None:
    assert words.payment_id(order) is None
