"""Payments: creation and its refusals, the published test cards."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from simulators.harness import Sandbox, order, running

# YooKassa, "Testing": the table of test cards, written here once more so that a slip of the
# simulator's own table does not vouch for itself.
REFUSALS = """
5555555555554592 4839665499603842 2200000000000012 payment_network 3d_secure_failed
5555555555554535 4926946416239025 2200000000000020 payment_network call_issuer
5555555555554543 4141435412630840 2200000000000038 payment_network card_expired
5555555555554568 4483274282299972 2200000000000046 payment_network fraud_suspected
5555555555554527 4889971706588753 2202202212312379 payment_network general_decline
5555555555554600 4562265587712390 2200000000000053 payment_network insufficient_funds
5555555555554618 4951017853630544 2201382000000013 payment_network invalid_card_number
5555555555554626 4194180666146368 2200770212727079 payment_network invalid_csc
5555555555554501 4654130848359150 2201382000000021 payment_network issuer_unavailable
5555555555554576 4565231022577548 2201382000000039 payment_network payment_method_limit_exceeded
5555555555554550 4233961169071671 2201382000000047 payment_network payment_method_restricted
5555555555554584 4969751510013864 2201382000000054 yoo_money country_forbidden
5555555555554634 4119098878796485 2201696981989955 yoo_money fraud_suspected
"""
REFUSED = [
    (card, party, reason)
    for line in REFUSALS.strip().splitlines()
    for *cards, party, reason in [line.split()]
    for card in cards
]
PAYING = [
    ("5555555555554477", "MasterCard", True),
    ("5555555555554444", "MasterCard", False),
    ("4793128161644804", "Visa", True),
    ("4111111111111111", "Visa", False),
    ("2200000000000004", "Mir", True),
    ("2202474301322987", "Mir", False),
]


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running() as each:
        yield each


async def test_a_created_payment_waits_for_its_payer(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    page = f"{sandbox.url}/yookassa/checkout/payments/v2/contract?orderId={created['id']}"
    assert created == {
        "id": created["id"],
        "status": "pending",
        "amount": {"value": "650.00", "currency": "RUB"},
        "description": "Пополнение лицевого счёта 100245",
        "recipient": {"account_id": "100500", "gateway_id": "2000001"},
        "created_at": created["created_at"],
        "confirmation": {
            "type": "redirect",
            "return_url": "http://127.0.0.1/return?top_up=77",
            "confirmation_url": page,
        },
        "test": True,
        "paid": False,
        "refundable": False,
        "metadata": {"top_up_id": "77"},
    }
    assert created["id"][8:23] == "-000f-5000-8000"
    assert created["created_at"].endswith("Z")
    assert (await sandbox.api("GET", f"/payments/{created['id']}")).body == created


@pytest.mark.parametrize(("card", "brand", "secure"), PAYING)
async def test_paying_card(sandbox: Sandbox, card: str, brand: str, secure: bool) -> None:
    created = await sandbox.create()
    paid = await sandbox.pay(created["id"], card=card)
    assert (paid["status"], paid["paid"], paid["refundable"]) == ("succeeded", True, True)
    assert "confirmation" not in paid
    assert paid["income_amount"] == {"value": "627.80", "currency": "RUB"}
    assert paid["refunded_amount"] == {"value": "0.00", "currency": "RUB"}
    assert paid["authorization_details"]["three_d_secure"] == {"applied": secure}
    method = paid["payment_method"]
    assert (method["type"], method["id"], method["saved"]) == ("bank_card", created["id"], False)
    assert (method["card"]["card_type"], method["card"]["last4"]) == (brand, card[-4:])


@pytest.mark.parametrize(("card", "party", "reason"), REFUSED)
async def test_refused_card(sandbox: Sandbox, card: str, party: str, reason: str) -> None:
    created = await sandbox.create()
    ended = await sandbox.pay(created["id"], card=card)
    assert (ended["status"], ended["paid"]) == ("canceled", False)
    assert ended["cancellation_details"] == {"party": party, "reason": reason}
    assert "confirmation" not in ended


async def test_a_refused_card_may_leave_the_payment_pending(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    assert await sandbox.pay(created["id"], card="5555555555554600", keep_pending=True) == created
    assert (await sandbox.pay(created["id"]))["status"] == "succeeded"


@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"amount": None}, "amount"),
        ({"amount": "650.00"}, "amount"),
        ({"amount": {"value": "0.00", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "-1.00", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "0.99", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "650", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "650.001", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "NaN", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "６50.00", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": 650.0, "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "350000.01", "currency": "RUB"}}, "amount.value"),
        ({"amount": {"value": "650.00", "currency": "USD"}}, "amount.currency"),
        ({"description": "я" * 129}, "description"),
        ({"description": 1}, "description"),
        ({"metadata": ["a"]}, "metadata"),
        ({"metadata": {str(n): "" for n in range(17)}}, "metadata"),
        ({"metadata": {"n" * 33: ""}}, "metadata"),
        ({"metadata": {"n": "v" * 513}}, "metadata"),
        ({"metadata": {"n": 1}}, "metadata.n"),
        ({"capture": "yes"}, "capture"),
        ({"merchant_customer_id": "c" * 201}, "merchant_customer_id"),
        ({"confirmation": None}, "confirmation"),
        ({"confirmation": {"type": "carrier pigeon"}}, "confirmation.type"),
        ({"confirmation": {"type": "qr"}}, "confirmation.type"),
        ({"confirmation": {"type": "redirect"}}, "confirmation.return_url"),
        (
            {"confirmation": {"type": "redirect", "return_url": "/relative"}},
            "confirmation.return_url",
        ),
        (
            {"confirmation": {"type": "redirect", "return_url": "http://[::"}},
            "confirmation.return_url",
        ),
        ({"payment_method_data": {"type": "sbp"}}, "payment_method_data.type"),
        ({"payment_method_data": {"type": "barter"}}, "payment_method_data.type"),
        (
            {"payment_method_id": "x", "payment_method_data": {"type": "bank_card"}},
            "payment_method_id",
        ),
        ({"payment_token": "t"}, "payment_token"),
        ({"receipt": {"items": []}}, "receipt.customer.email"),
    ],
)
async def test_a_wrong_field_is_named(
    sandbox: Sandbox, changes: dict[str, Any], parameter: str
) -> None:
    refused = await sandbox.api("POST", "/payments", order(**changes))
    assert refused.status == 400
    assert (refused.body["type"], refused.body["code"]) == ("error", "invalid_request")
    assert refused.body["parameter"] == parameter
    assert (await sandbox.api("GET", "/payments")).body["items"] == []


async def test_card_numbers_are_not_accepted_by_the_api(sandbox: Sandbox) -> None:
    raw = {"type": "bank_card", "card": {"number": "5555555555554477"}}
    refused = await sandbox.api("POST", "/payments", order(payment_method_data=raw))
    assert (refused.status, refused.body["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", {"Content-Type": "application/json"}, 400),
        (b"[]", {"Content-Type": "application/json"}, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"[" * 100_000, {"Content-Type": "application/json"}, 400),
        (b'"' + b"x" * 300_000, {"Content-Type": "application/json"}, 400),
    ],
)
async def test_an_unreadable_body(
    sandbox: Sandbox, body: bytes, headers: dict[str, str], status: int
) -> None:
    refused = await sandbox.api("POST", "/payments", data=body, headers=headers)
    assert refused.status == status


async def test_wrong_method_and_unknown_address(sandbox: Sandbox) -> None:
    assert (await sandbox.api("DELETE", "/payments")).status == 405
    assert (await sandbox.api("GET", "/nothing")).status == 404


@pytest.mark.parametrize(
    "header",
    ["", "Basic", "Basic !", "Basic MTAwNTAw", "Bearer token", "Basic MTAwNTAwOndyb25n"],
)
async def test_wrong_credentials(sandbox: Sandbox, header: str) -> None:
    refused = await sandbox.api("GET", "/me", headers={"Authorization": header})
    assert (refused.status, refused.body["code"]) == (401, "invalid_credentials")


async def test_another_shops_payment_does_not_exist(sandbox: Sandbox) -> None:
    created = await sandbox.create()
    sandbox.shop = ("100501", "live_demo")
    for path in (f"/payments/{created['id']}", "/payments/unknown"):
        refused = await sandbox.api("GET", path)
        assert (refused.status, refused.body["code"]) == (404, "not_found")
    assert (await sandbox.api("GET", "/payments")).body["items"] == []


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"card": "5555555555554476"}, 400),
        ({"card": 5555555555554477}, 400),
        ({"method": "sbp"}, 400),
        ({"colour": "green"}, 400),
    ],
)
async def test_an_impossible_wish(sandbox: Sandbox, wish: dict[str, Any], status: int) -> None:
    created = await sandbox.create()
    refused = await sandbox.call("POST", f"/yookassa/payments/{created['id']}/pay", wish)
    assert refused.status == status
    assert refused.body["error"]
    assert (await sandbox.api("GET", f"/payments/{created['id']}")).body == created
