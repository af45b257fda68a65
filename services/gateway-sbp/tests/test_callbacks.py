"""What knocks at the callback addresses: genuine, forged, early, late, and about nothing here."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway_sbp import signed
from gateway_sbp.acquirers.raiffeisen.wire.signature import HEADER, Signed, sign
from gateway_sbp.acquirers.tbank.wire.token import token
from shared.gateway import callbacks, payments

pytestmark = pytest.mark.timeout(90)
KEY = "sim-secret-key-000000000001"
PASSWORD = "SimPassw0rd"
MERCHANT = "MA0000099999"
MOMENT = "2026-11-28T14:05:06.123456+03:00"


def raiffeisen(order: str, amount: str = "350.5", **more: Any) -> tuple[bytes, dict[str, str]]:
    """Return a callback of Raiffeisen as it signs them."""
    wire = more.pop("wire", amount)
    body = {
        "transactionId": 900000000777,
        "qrId": "AS1000SIMULATEDQRID0000000000001",
        "sbpMerchantId": MERCHANT,
        "amount": orjson.Fragment(wire.encode()),
        "currency": "RUB",
        "transactionDate": MOMENT,
        "paymentStatus": "SUCCESS",
        "order": order,
        **more,
    }
    signature = sign(KEY, Signed(amount, MERCHANT, order, body["paymentStatus"], MOMENT))
    return orjson.dumps(body), {HEADER: signature}


def tbank(**fields: Any) -> bytes:
    """Return a notification of T-Bank with its token."""
    body = {
        "TerminalKey": "1700000000001DEMO",
        "OrderId": "top-0001",
        "Success": True,
        "Status": "CONFIRMED",
        "PaymentId": 4000000001,
        "ErrorCode": "0",
        "Amount": 35050,
        "Data": {"Source": "sbpqr"},
        **fields,
    }
    return orjson.dumps(body | {"Token": body.get("Token", token(body, PASSWORD))})


@pytest.fixture
async def home(start: Any) -> Any:
    return await start()


async def test_a_foreign_signature_is_refused_and_kept_nowhere(home: Any) -> None:
    body, _ = raiffeisen("c-100245")
    assert (await home.callback("raiffeisen", body, **{HEADER: "0" * 64}))[0] == 403
    assert (await home.callback("raiffeisen", body))[0] == 403
    assert (await home.callback("tbank", tbank(Token="0" * 64)))[0] == 403
    assert await home.rows(callbacks.callback) == []
    assert await home.rows(signed.signed_payment) == []


async def test_what_was_changed_after_signing_is_refused(home: Any) -> None:
    body, headers = raiffeisen("c-100245", wire="99999")
    assert (await home.callback("raiffeisen", body, **headers))[0] == 403
    genuine = orjson.loads(tbank())
    assert (await home.callback("tbank", orjson.dumps(genuine | {"Amount": 1})))[0] == 403


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b'{"amount": NaN}'])
@pytest.mark.parametrize("bank", ["raiffeisen", "tbank"])
async def test_garbage_is_a_mistake_of_its_sender(home: Any, bank: str, body: bytes) -> None:
    status, _ = await home.callback(bank, body)
    assert status in (400, 403)


async def test_tbank_is_answered_with_ok_and_nothing_else(home: Any) -> None:
    assert await home.callback("tbank", tbank()) == (200, b"OK")
    assert await home.callback("tbank", tbank(NewField="new", Status="AUTHORIZED")) == (200, b"OK")


@pytest.mark.parametrize("wire", ["350.5", "350.50", "350.500"])
async def test_the_number_may_be_written_with_zeros(home: Any, wire: str) -> None:
    body, headers = raiffeisen("c-100245", wire=wire)
    assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    (event,) = await home.said()
    assert event.data["amount_kopecks"] == 35_050


async def test_a_paper_payment_is_booked_before_its_bank_is_answered(home: Any) -> None:
    body, headers = raiffeisen("c-100245")
    assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    (event,) = await home.said()
    assert [one["contract"] for one in event.data["allocations"]] == ["100245"]
    for _ in range(3):
        assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    assert len(await home.said()) == 1


@pytest.mark.parametrize(
    "other",
    [{"transactionId": 900000000778}, {"amount": "351"}],
    ids=["another transaction", "another sum"],
)
async def test_what_agrees_by_halves_is_an_alarm_and_no_money(
    home: Any, other: dict[str, Any], counted_alarms: Any
) -> None:
    body, headers = raiffeisen("c-100245")
    assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    changed = {"amount": "350.5", **other}
    body, headers = raiffeisen("c-100245", **changed)
    assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    assert len(await home.said()) == 1
    assert counted_alarms("signed_payment_clash") == 1


async def test_a_printed_code_that_was_brought_along_names_its_contract(home: Any) -> None:
    body, headers = raiffeisen("100246")
    assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    (event,) = await home.said()
    assert [one["contract"] for one in event.data["allocations"]] == ["100246"]


async def test_money_of_an_order_that_nobody_knows_is_said_without_a_contract(home: Any) -> None:
    body, headers = raiffeisen("nobody-knows-it")
    assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    (event,) = await home.said()
    assert event.data["allocations"] == []
    assert event.data["amount_kopecks"] == 35_050


async def test_a_code_that_was_made_elsewhere_is_settled_by_the_bank_s_answer(home: Any) -> None:
    asked = {
        "qrType": "QRDynamic",
        "sbpMerchantId": MERCHANT,
        "order": "till-77",
        "amount": 120,
        "currency": "RUB",
    }
    path = "/raiffeisen/api/sbp/v2/qrs"
    code = (await home.sandbox.call("POST", path, asked)).body["qrId"]
    await home.sandbox.call("POST", f"/raiffeisen/qr/{code}/pay", {})

    async def there() -> Any:
        return await home.said()

    (event,) = await home.until(there)
    assert (event.data["provider_payment_id"], event.data["amount_kopecks"]) == (code, 12_000)


async def test_a_lie_with_a_genuine_signature_elsewhere_costs_a_question(home: Any) -> None:
    made = await home.pending()
    order = made["id"].replace("-", "")
    body, headers = raiffeisen(order, "650", qrId=made["provider_payment_id"])
    assert (await home.callback("raiffeisen", body, **headers))[0] == 200
    await home.until(lambda: _worked(home))
    assert await home.said() == []
    assert (await home.look(made["id"]))["status"] == "pending"


@pytest.mark.parametrize("bank", ["raiffeisen", "tbank"])
async def test_a_callback_before_the_registration_is_answered(start: Any, bank: str) -> None:
    place = await start(SBP_ACQUIRERS=bank)
    call = {"raiffeisen": "register_qr_v2", "tbank": "Init"}[bank]
    fault = {"faults": [{"kind": "callback_first", "calls": [call], "times": 1}]}
    assert (await place.sandbox.call("POST", f"/{bank}/control/faults", fault)).status == 200
    _, made = await place.make()
    await place.becomes(made["id"], "succeeded")
    assert len(await place.said()) == 1
    assert len(await place.rows(payments.payment)) == 1


@pytest.mark.parametrize("status", ["IN_PROGRESS", "DECLINED", "SOMETHING_NEW"])
async def test_other_words_about_a_paper_code_are_no_money(home: Any, status: str) -> None:
    body, headers = raiffeisen("c-100245", paymentStatus=status)
    signature = sign(KEY, Signed("350.5", MERCHANT, "c-100245", status, MOMENT))
    assert (await home.callback("raiffeisen", body, **{HEADER: signature}))[0] == 200
    assert headers
    assert await home.said() == []


async def test_networks_are_a_second_barrier(start: Any) -> None:
    place = await start(
        RAIFFEISEN_CALLBACK_NETWORKS="193.28.44.23/32", TBANK_CALLBACK_NETWORKS="91.194.226.0/23"
    )
    body, headers = raiffeisen("c-100245")
    assert (await place.callback("raiffeisen", body, **headers))[0] == 403
    assert (await place.callback("tbank", tbank()))[0] == 403


async def _worked(place: Any) -> bool:
    rows = await place.rows(callbacks.callback)
    return bool(rows) and all(row.attempts > 0 for row in rows)
