"""What a review has found: each was money that got lost, or an error of ours on odd input."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from yarl import URL

from gateway_sbp.acquirers.raiffeisen.wire.signature import HEADER, Signed, sign
from gateway_sbp.acquirers.tbank.wire import words
from gateway_sbp.acquirers.tbank.wire.token import token
from shared.gateway.answer import Answer

pytestmark = pytest.mark.timeout(90)
KEY, MERCHANT = "sim-secret-key-000000000001", "MA0000099999"
TERMINAL, PASSWORD = "1700000000001DEMO", "SimPassw0rd"
MOMENT = "2026-11-28T14:05:06.123456+03:00"
HALF = b'"\\ud800"'
"""Half a character: JSON can say it, and nobody can write it down."""


def told(order: str, **more: Any) -> tuple[bytes, dict[str, str]]:
    """Return a genuine callback of Raiffeisen about a code on paper."""
    body = {
        "transactionId": 900000000777,
        "qrId": "AS1000SIMULATEDQRID0000000000001",
        "sbpMerchantId": MERCHANT,
        "amount": 350.5,
        "currency": "RUB",
        "transactionDate": MOMENT,
        "paymentStatus": "SUCCESS",
        "order": order,
        **more,
    }
    signature = sign(KEY, Signed("350.5", MERCHANT, order, "SUCCESS", MOMENT))
    return orjson.dumps(body), {HEADER: signature}


def notified(**fields: Any) -> bytes:
    """Return a notification of T-Bank with its token."""
    body = {"TerminalKey": TERMINAL, "PaymentId": 4000000001, "Status": "CONFIRMED", **fields}
    return orjson.dumps(body | {"Token": token(body, PASSWORD)})


@pytest.fixture
async def home(start: Any) -> Any:
    return await start()


@pytest.mark.parametrize("event", [None, "payment"])
async def test_a_payment_that_names_its_event_is_money(home: Any, event: str | None) -> None:
    body, headers = told("c-100245", event=event)
    assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    assert [one.data["amount_kopecks"] for one in await home.said()] == [35_050]


@pytest.mark.parametrize("order", ["Л/С 7", "C[100]", "c-100245 "])
async def test_signed_money_is_taken_whatever_signs_its_order_has(home: Any, order: str) -> None:
    body, headers = told(order)
    assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    assert [one.data["amount_kopecks"] for one in await home.said()] == [35_050]


@pytest.mark.parametrize("field", [b'"createDate"', b'"currency"'])
async def test_half_a_character_is_no_error_of_ours(home: Any, field: bytes) -> None:
    body, headers = told("c-100245")
    odd = body[:-1] + b"," + field + b":" + HALF + b"}"
    assert (await home.callback("raiffeisen", odd, **headers))[0] == 200
    odd = body[:-1] + b"," + field + b':"\\u0000"}'
    assert (await home.callback("raiffeisen", odd, **headers))[0] == 200


@pytest.mark.parametrize("fields", [{"Status": None}, {"OrderId": "\0"}, {"Status": "A\0"}])
async def test_a_signed_notification_is_taken_whatever_it_lacks(
    home: Any, fields: dict[str, Any]
) -> None:
    assert await home.callback("tbank", notified(**fields)) == (200, b"OK")


@pytest.mark.parametrize(
    "body", [b'{"Success":true,"PaymentId":1}', b'{"Success":"true","ErrorCode":null}']
)
def test_a_success_needs_no_code(body: bytes) -> None:
    for reading in (True, False):
        assert isinstance(words.meaning(200, body, "", reading=reading), Answer)
    assert not isinstance(words.meaning(200, b'{"PaymentId":1}', "", reading=False), Answer)


async def test_a_second_code_of_one_order_is_its_owner_s(start: Any) -> None:
    """An answer to a registration that was lost leaves two codes of one order."""
    home = await start(SBP_ACQUIRERS="raiffeisen")
    made = await home.pending("650.00")
    asked = {
        "qrType": "QRDynamic",
        "sbpMerchantId": MERCHANT,
        "order": made["id"].replace("-", ""),
        "amount": 650,
        "currency": "RUB",
    }
    again = await home.sandbox.call("POST", "/raiffeisen/api/sbp/v2/qrs", asked)
    await home.sandbox.call("POST", f"/raiffeisen/qr/{again.body['qrId']}/pay", {})
    await home.pay(made)

    async def both() -> bool:
        return len(await home.said()) == 2

    await home.until(both)
    for event in await home.said():
        assert [one["contract"] for one in event.data["allocations"]] == ["100245"]


async def test_one_key_twice_at_once_is_one_answer(home: Any) -> None:
    """Both get the code that is live already; neither is an error of ours."""
    first = await home.pending("77.00")
    again = [home.make("77.00", headers={"Idempotency-Key": f"key-{n // 4}"}) for n in range(16)]
    answers = await asyncio.gather(*again)
    assert {(status, said["id"]) for status, said in answers} == {(201, first["id"])}


async def test_one_key_for_two_contracts_at_once_is_a_conflict(home: Any) -> None:
    await home.pending("77.00")
    await home.pending("77.00", contract="100246")
    asked = [
        home.make("77.00", contract=number, headers={"Idempotency-Key": f"key-{n}"})
        for n in range(4)
        for number in ("100245", "100246") * 2
    ]
    statuses = sorted(status for status, _ in await asyncio.gather(*asked))
    assert statuses == [201] * 8 + [409] * 8


async def test_a_contract_that_nothing_can_hold_is_not_there(home: Any) -> None:
    for kind in ("svg", "png"):
        address = URL(f"{home.url}/sbp/v1/contracts/1%00/qr.{kind}", encoded=True)
        given = {"Authorization": "Bearer demo"}
        async with home.http.get(address, headers=given) as answer:
            assert answer.status == 404
