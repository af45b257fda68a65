"""What payers do in their banks' apps, and what the bank tells of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson

from simulators.banks.bank import Bank, Told
from simulators.control import Mistake
from simulators.raiffeisen import model
from simulators.raiffeisen.model import Payment, Qr, Subscription
from simulators.raiffeisen.words import moment, number, number_text, sign

FIRST_TRANSACTION = 900_000_000_001
PAYER_BANK = "100000000111"
STATIC, VARIABLE, DYNAMIC = "QRStatic", "QRVariable", "QRDynamic"


def pay(bank: Bank, qr_id: str, sum_kopecks: int | None = None) -> Payment:
    """Pay a code; raises Mistake for one that is unknown, not payable, or wants another sum."""
    code = _payable(bank, qr_id)
    amount = code.amount_kopecks if code.amount_kopecks is not None else sum_kopecks
    if amount is None:
        raise Mistake("this code takes any sum: say amount")
    if sum_kopecks is not None and sum_kopecks != amount:
        raise Mistake("this code has a sum of its own")
    with bank.store.transaction():
        paid = book(bank, code, amount, "SUCCESS")
        if code.type == DYNAMIC:
            model.keep(bank.store, replace(code, status="PAID"))
        elif code.type == VARIABLE:
            _close_order(bank, code)
        if code.subscription_id is not None and bank.knobs["pay_also_binds"]:
            decide(bank, code.subscription_id, "SUBSCRIBED")
    return paid


def refuse(bank: Bank, qr_id: str) -> None:
    """Let the payer's bank refuse; the code stays payable."""
    code = _payable(bank, qr_id)
    with bank.store.transaction():
        model.keep(bank.store, replace(code, declined=True))


def decide(bank: Bank, subscription_id: str, status: str) -> Subscription:
    """Accept, or revoke, a binding; raises Mistake for one that is unknown."""
    found = model.subscription(bank.store, "id", subscription_id)
    if found is None:
        raise Mistake("no such subscription", status=404)
    changed = replace(found, status=status, bank=PAYER_BANK if status == "SUBSCRIBED" else "")
    with bank.store.transaction():
        model.keep(bank.store, changed)
        said = {"event": "subscription", "subscription": subscription_view(bank, changed)}
        headers = {"Content-Type": "application/json"}
        bank.announce(Told(changed.id, orjson.dumps(said).decode(), headers))
    return changed


def book(bank: Bank, code: Qr, amount: int, status: str, **more: Any) -> Payment:
    """Write a payment and tell of it; inside a transaction."""
    newest = bank.store.one("SELECT max(transaction_id) AS last FROM raiffeisen_payment")
    last = newest["last"] if newest is not None and newest["last"] else FIRST_TRANSACTION - 1
    paid = Payment(
        transaction_id=last + 1,
        qr_id=code.id,
        order_id=code.order_id,
        merchant=code.merchant,
        amount_kopecks=amount,
        status=status,
        paid_at=bank.clock.now(),
        type=code.type,
        **more,
    )
    model.keep(bank.store, paid)
    if status == "SUCCESS":
        bank.announce(callback(bank, code, paid))
    return paid


def callback(bank: Bank, code: Qr, paid: Payment) -> Told:
    """Write the callback of a payment, as the knobs have it."""
    knobs = bank.knobs
    at = moment(paid.paid_at, knobs["fraction"])
    signed = (number_text(paid.amount_kopecks), paid.merchant, paid.order_id or "", paid.status, at)
    said: dict[str, Any] = {
        "transactionId": paid.transaction_id,
        "qrId": paid.qr_id,
        "sbpMerchantId": paid.merchant,
        "merchantId": 9999001,
        "amount": number(paid.amount_kopecks),
        "currency": "RUB",
        "transactionDate": at,
        "paymentStatus": paid.status,
        "additionalInfo": code.asked.get("additionalInfo", knobs["no_info"]),
        "order": paid.order_id,
        "createDate": moment(code.created_at),
    }
    if knobs["trailing_zeros"]:
        said["amount"] = orjson.Fragment(two_places(paid.amount_kopecks))
    if knobs["unknown_fields"]:
        said["sourceOfFunds"] = {"kind": "ACCOUNT"}
    headers = {
        "Content-Type": "application/json",
        knobs["header"]: sign(bank.knobs["key"], *signed),
    }
    return Told(paid.qr_id, orjson.dumps(said).decode(), headers)


def subscription_view(bank: Bank, found: Subscription) -> dict[str, Any]:
    """Return a subscription as the API shows it."""
    shown: dict[str, Any] = {
        "id": found.id,
        "createDate": moment(found.created_at),
        "status": found.status,
        "qr": {
            "id": found.qr_id,
            "payload": found.payload,
            "url": bank.address(f"api/sbp/v1/qr/{found.qr_id}/image"),
        },
    }
    return shown | ({"bank": found.bank} if found.bank else {})


def typed(value: Any) -> int | None:
    """Read a sum that a payer has typed, as kopecks; raises Mistake."""
    if value in (None, ""):
        return None
    text = str(value).replace(" ", "").replace(",", ".")
    roubles, _, rest = text.partition(".")
    if not roubles.isdigit() or (rest and not rest.isdigit()) or len(rest) > 2:
        raise Mistake("a sum such as 650 or 650.50")
    found = int(roubles) * 100 + int(rest.ljust(2, "0"))
    if found <= 0:
        raise Mistake("a sum above zero")
    return found


def two_places(kopecks: int) -> bytes:
    """Return roubles with two places, which the signature has not."""
    return f"{kopecks // 100}.{kopecks % 100:02d}".encode()


def _payable(bank: Bank, qr_id: str) -> Qr:
    code = model.qr(bank.store, qr_id)
    if code is None:
        raise Mistake("no such code", status=404)
    if code.now(bank.clock.now()) != "NEW":
        raise Mistake(f"the code is {code.now(bank.clock.now())}", status=409)
    return code


def _close_order(bank: Bank, code: Qr) -> None:
    found = model.order(bank.store, code.order_id or "")
    if found is not None:
        now = bank.clock.now()
        model.keep(bank.store, replace(found, status="PAID", changed_at=now))
    empty = replace(code, status="INACTIVE", order_id=None, amount_kopecks=None)
    model.keep(bank.store, empty)
