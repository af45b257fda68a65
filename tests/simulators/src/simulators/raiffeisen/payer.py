"""What payers do in their banks' apps, and what the bank tells of it."""

from __future__ import annotations

import re
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
SUM = re.compile(r"[0-9]{1,12}(\.[0-9]{0,2})?", re.ASCII)
OUTCOMES = ("SUCCESS", "IN_PROGRESS", "DECLINED")


def pay(bank: Bank, qr_id: str, sum_kopecks: int | None = None) -> Payment:
    """Pay a code, with the outcome that the script `pay` has.

    Raises Mistake for a code that is unknown, not payable, or wants another sum, and for a refusal.
    """
    code = _payable(bank, qr_id)
    amount = code.amount_kopecks if code.amount_kopecks is not None else sum_kopecks
    if amount is None:
        raise Mistake("this code takes any sum: say amount")
    if sum_kopecks is not None and sum_kopecks != amount:
        raise Mistake("this code has a sum of its own")
    status, then = outcome(bank, "pay")
    if status == "DECLINED":
        refuse(bank, qr_id)
        raise Mistake("the payer's bank refuses", status=402)
    with bank.store.transaction():
        return book(bank, replace(code, declined=False), amount, status, then)


def refuse(bank: Bank, qr_id: str) -> None:
    """Let the payer's bank refuse; the code stays payable."""
    model.keep(bank.store, replace(_payable(bank, qr_id), declined=True))


def outcome(bank: Bank, script: str) -> tuple[str, str]:
    """Return what the next payment comes to, and what it then becomes if that is not the end.

    A script holds a word, or `{"status", "then"}`; raises Mistake for what is no outcome.
    """
    wanted = bank.outcome(script, "SUCCESS")
    told = wanted if isinstance(wanted, dict) else {"status": wanted}
    status, then = told.get("status"), told.get("then", "SUCCESS")
    if status not in OUTCOMES or then not in ("SUCCESS", "DECLINED"):
        raise Mistake(f"no such outcome: {wanted}; there are {', '.join(OUTCOMES)}")
    return status, then


def decide(bank: Bank, subscription_id: str, status: str) -> Subscription:
    """Accept, or revoke, a binding; raises Mistake for one that is unknown or cannot become so."""
    found = model.subscription(bank.store, "id", subscription_id)
    if found is None:
        raise Mistake("no such subscription", status=404)
    if found.status != ("INACTIVE" if status == "SUBSCRIBED" else "SUBSCRIBED"):
        raise Mistake(f"the subscription is {found.status}", status=409)
    changed = replace(found, status=status, bank=PAYER_BANK)
    with bank.store.transaction():
        model.keep(bank.store, changed)
        said = {"event": "subscription", "subscription": subscription_view(bank, changed)}
        headers = {"Content-Type": "application/json"}
        bank.announce(Told(changed.id, orjson.dumps(said).decode(), headers))
    return changed


def book(
    bank: Bank, code: Qr, amount: int, status: str, then: str = "SUCCESS", **more: Any
) -> Payment:
    """Write a payment, what it makes of its code, and tell of it; inside a transaction."""
    newest = bank.store.one("SELECT max(transaction_id) AS last FROM raiffeisen_payment")
    last = newest["last"] if newest is not None and newest["last"] else FIRST_TRANSACTION - 1
    now = bank.clock.now()
    paid = Payment(
        transaction_id=last + 1,
        qr_id=code.id,
        order_id=code.order_id,
        merchant=code.merchant,
        amount_kopecks=amount,
        status=status,
        paid_at=now,
        type=code.type,
        becomes=then,
        settles_at=now + bank.scaled(bank.knobs["settle_seconds"]),
        **more,
    )
    model.keep(bank.store, paid)
    if status == "IN_PROGRESS":
        # A sticker is open to everybody else meanwhile.
        model.keep(bank.store, code if code.type == STATIC else replace(code, status=status))
    else:
        _conclude(bank, code, paid)
    return paid


def settle(bank: Bank, paid: Payment) -> None:
    """Bring a payment that was in progress to its end; inside a transaction."""
    code = model.qr(bank.store, paid.qr_id)
    if code is None:
        raise LookupError(f"payment {paid.transaction_id} has no code")
    done = replace(paid, status=paid.becomes, paid_at=bank.clock.now())
    model.keep(bank.store, done)
    _conclude(bank, code, done)


def unbind(bank: Bank, qr_id: str | None) -> None:
    """Leave a variable code without its order; inside a transaction."""
    code = model.qr(bank.store, qr_id or "")
    if code is not None:
        empty = replace(code, status="INACTIVE", order_id=None, amount_kopecks=None)
        model.keep(bank.store, empty)


def _conclude(bank: Bank, code: Qr, paid: Payment) -> None:
    if paid.status == "DECLINED":
        # Nobody can pay the code of a charge; any other one is tried again until its end.
        status = "CANCELLED" if paid.subscription_id is not None else "NEW"
        open_again = code.status if code.type == STATIC else status
        model.keep(bank.store, replace(code, status=open_again, declined=True))
        if bank.knobs["tells_declined"]:
            bank.announce(callback(bank, code, paid))
        return
    model.keep(bank.store, code if code.type == STATIC else replace(code, status="PAID"))
    bank.announce(callback(bank, code, paid))
    if code.type == VARIABLE:
        _close_order(bank, code)
    if paid.subscription_id is None and code.subscription_id and bank.knobs["pay_also_binds"]:
        bound = model.subscription(bank.store, "id", code.subscription_id)
        if bound is not None and bound.status == "INACTIVE":
            decide(bank, bound.id, "SUBSCRIBED")


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
    if not SUM.fullmatch(text):
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
    unbind(bank, code.id)
