"""YooKassa's own SDK drives the rest of the simulator: every means, refusals, lists, receipts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest
from yookassa import Configuration, Payment, PaymentMethod, Receipt, Refund
from yookassa.domain.exceptions import BadRequestError, ForbiddenError, NotFoundError

from simulators.harness import Sandbox, order, running

T = TypeVar("T")

LIVE = ("100501", "live_demo")
RETURN = {"type": "redirect", "return_url": "https://lk.isp.example/back"}
ITEM = {
    "description": "Аванс за услуги связи",
    "quantity": 1.000,
    "amount": {"value": "650.00", "currency": "RUB"},
    "vat_code": 12,
    "measure": "piece",
    "payment_subject": "payment",
    "payment_mode": "advance",
}


@pytest.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    """Run a sandbox and point the SDK at its test shop."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    async with running() as each:
        connect(each, *each.shop)
        yield each


def connect(sandbox: Sandbox, shop: str, key: str) -> None:
    sandbox.shop = (shop, key)
    Configuration.configure(shop, key, api_url=f"{sandbox.url}/yookassa/v3")


async def ask(call: Callable[..., T], *arguments: Any) -> T:
    """Make a blocking call of the SDK."""
    return await asyncio.to_thread(call, *arguments)


def roubles(value: str) -> dict[str, str]:
    return {"value": value, "currency": "RUB"}


async def paid(sandbox: Sandbox, **changes: Any) -> Any:
    """Make a payment, pay it, and return it as the SDK reads it."""
    made = await ask(Payment.create, order(**changes))
    await sandbox.pay(made.id)
    return await ask(Payment.find_one, made.id)


@pytest.mark.parametrize("kind", ["bank_card", "yoo_money", "sbp", "sberbank", "tinkoff_bank"])
async def test_each_means_is_paid_and_read(sandbox: Sandbox, kind: str) -> None:
    connect(sandbox, *LIVE)
    made = await ask(Payment.create, order(payment_method_data={"type": kind}))
    assert made.status == "pending"
    await sandbox.pay(made.id, method=kind)
    done = await ask(Payment.find_one, made.id)
    assert (done.status, done.payment_method.type) == ("succeeded", kind)
    assert done.test is False
    listed = await ask(Payment.list, {"payment_method": kind, "status": "succeeded"})
    assert [item.id for item in listed.items] == [made.id]


async def test_a_code_to_scan(sandbox: Sandbox) -> None:
    connect(sandbox, *LIVE)
    wanted = order(payment_method_data={"type": "sbp"}, confirmation={"type": "qr"})
    made = await ask(Payment.create, wanted)
    assert made.confirmation.type == "qr"
    assert made.confirmation.confirmation_data.startswith("https://qr.nspk.ru/")


async def test_sbp_is_not_in_a_test_shop_and_never_held(sandbox: Sandbox) -> None:
    with pytest.raises(BadRequestError):
        await ask(Payment.create, order(payment_method_data={"type": "sbp"}))
    connect(sandbox, *LIVE)
    with pytest.raises(BadRequestError):
        await ask(Payment.create, order(payment_method_data={"type": "sbp"}, capture=False))


@pytest.mark.parametrize(
    ("card", "party", "reason"),
    [
        ("5555555555554592", "payment_network", "3d_secure_failed"),
        ("4926946416239025", "payment_network", "call_issuer"),
        ("2200000000000038", "payment_network", "card_expired"),
        ("5555555555554584", "yoo_money", "country_forbidden"),
    ],
)
async def test_refused_cards(sandbox: Sandbox, card: str, party: str, reason: str) -> None:
    made = await ask(Payment.create, order())
    await sandbox.pay(made.id, card=card)
    ended = await ask(Payment.find_one, made.id)
    assert (ended.status, ended.paid) == ("canceled", False)
    assert (ended.cancellation_details.party, ended.cancellation_details.reason) == (party, reason)


async def test_the_term_to_confirm_ends(sandbox: Sandbox) -> None:
    made = await ask(Payment.create, order())
    await sandbox.control("POST", "/clock", {"advance_seconds": 3_601})
    ended = await ask(Payment.find_one, made.id)
    assert ended.cancellation_details.reason == "expired_on_confirmation"


async def test_a_hold_nobody_takes_ends(sandbox: Sandbox) -> None:
    made = await ask(Payment.create, order(capture=False))
    await sandbox.pay(made.id)
    held = await ask(Payment.find_one, made.id)
    assert held.expires_at is not None
    await sandbox.control("POST", "/clock", {"advance_seconds": 7 * 86_400 + 1})
    ended = await ask(Payment.find_one, made.id)
    assert ended.cancellation_details.reason == "expired_on_capture"


@pytest.mark.parametrize("value", ["650.01", "0.00"])
async def test_what_cannot_be_captured(sandbox: Sandbox, value: str) -> None:
    made = await ask(Payment.create, order(capture=False))
    await sandbox.pay(made.id)
    # The SDK checks amounts itself; the API is asked past it.
    body = {"amount": roubles(value)}
    answer = await sandbox.api("POST", f"/payments/{made.id}/capture", body)
    assert (answer.status, answer.body["code"]) == (400, "invalid_request")


async def test_a_refund_that_waits_and_fails(sandbox: Sandbox) -> None:
    done = await paid(sandbox)
    outcome = {
        "status": "pending",
        "delay": 1_000,
        "then": "canceled",
        "reason": "insufficient_funds",
    }
    await sandbox.control("PUT", "/scripts/refund", {"outcomes": [outcome]})
    wanted = {"payment_id": done.id, "amount": roubles("150.00")}
    begun = await ask(Refund.create, wanted)
    assert begun.status == "pending"
    await sandbox.control("POST", "/clock", {"advance_seconds": 2})
    ended = await ask(Refund.find_one, begun.id)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "insufficient_funds")
    assert (await ask(Payment.find_one, done.id)).refunded_amount.value == Decimal("0.00")


async def test_what_cannot_be_refunded(sandbox: Sandbox) -> None:
    done = await paid(sandbox)
    pending = await ask(Payment.create, order())
    for payment_id, value in ((done.id, "650.01"), (done.id, "649.50"), (pending.id, "650.00")):
        with pytest.raises(BadRequestError):
            await ask(Refund.create, {"payment_id": payment_id, "amount": roubles(value)})
    wrong = {"payment_id": done.id, "amount": {"value": "1.00", "currency": "USD"}}
    with pytest.raises(BadRequestError):
        await ask(Refund.create, wrong)
    await ask(Refund.create, {"payment_id": done.id, "amount": roubles("650.00")})
    with pytest.raises(BadRequestError):
        await ask(Refund.create, {"payment_id": done.id, "amount": roubles("1.00")})
    with pytest.raises(NotFoundError):
        await ask(Refund.find_one, "3294def0-0015-5000-8000-0a1b2c3d4e5f")


async def test_refunds_are_listed_page_by_page_with_those_of_the_profile(sandbox: Sandbox) -> None:
    done = await paid(sandbox)
    for value in ("10.00", "20.00"):
        await ask(Refund.create, {"payment_id": done.id, "amount": roubles(value)})
    await sandbox.control("POST", f"/payments/{done.id}/refund", {"amount": "30.00"})
    found: list[Decimal] = []
    query: dict[str, Any] = {"payment_id": done.id, "limit": 2}
    while True:
        page = await ask(Refund.list, query)
        found += [item.amount.value for item in page.items]
        if page.next_cursor is None:
            break
        query["cursor"] = page.next_cursor
    assert sorted(found) == [Decimal(10), Decimal(20), Decimal(30)]


async def test_receipts_of_a_refund(sandbox: Sandbox) -> None:
    receipt = {"customer": {"email": "user@example.com"}, "items": [ITEM]}
    done = await paid(sandbox, receipt=receipt)
    part = {**receipt, "items": [{**ITEM, "amount": roubles("150.00")}]}
    body = {"payment_id": done.id, "amount": roubles("150.00"), "receipt": part}
    returned = await ask(Refund.create, body)
    assert returned.receipt_registration == "pending"
    await sandbox.control("POST", "/clock", {"advance_seconds": 10})
    assert (await ask(Refund.find_one, returned.id)).receipt_registration == "succeeded"
    (listed,) = (await ask(Receipt.list, {"refund_id": returned.id})).items
    assert (listed.status, listed.refund_id) == ("succeeded", returned.id)


async def test_a_receipt_must_add_up(sandbox: Sandbox) -> None:
    short = {**ITEM, "amount": roubles("649.00")}
    receipt = {"customer": {"email": "user@example.com"}, "items": [short]}
    with pytest.raises(BadRequestError):
        await ask(Payment.create, order(receipt=receipt))


@pytest.mark.parametrize("kind", ["bank_card", "sbp"])
async def test_a_binding_of_each_kind(sandbox: Sandbox, kind: str) -> None:
    connect(sandbox, *LIVE)
    begun = await ask(PaymentMethod.create, {"type": kind, "confirmation": RETURN})
    assert (begun.type, begun.saved) == (kind, False)
    await sandbox.call("POST", f"/yookassa/methods/{begun.id}/bind", {})
    assert (await ask(PaymentMethod.find_one, begun.id)).saved is True
    charged = await ask(Payment.create, order(confirmation=None, payment_method_id=begun.id))
    assert charged.status == "succeeded"


async def test_a_binding_nobody_confirms_cannot_be_charged(sandbox: Sandbox) -> None:
    begun = await ask(PaymentMethod.create, {"type": "bank_card", "confirmation": RETURN})
    await sandbox.control("POST", "/clock", {"advance_seconds": 3_601})
    assert (await ask(PaymentMethod.find_one, begun.id)).saved is False
    with pytest.raises((BadRequestError, ForbiddenError)):
        await ask(Payment.create, order(confirmation=None, payment_method_id=begun.id))


@pytest.mark.parametrize("reason", ["permission_revoked", "card_expired", "issuer_unavailable"])
async def test_a_charge_comes_to_what_is_scripted(sandbox: Sandbox, reason: str) -> None:
    kept = await paid(sandbox, save_payment_method=True)
    assert kept.payment_method.saved is True
    await sandbox.control("PUT", "/scripts/charge", {"outcomes": [reason]})
    charge = order(confirmation=None, payment_method_id=kept.payment_method.id)
    ended = await ask(Payment.create, charge)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", reason)
