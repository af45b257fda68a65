"""Codes and their payments: what is asked for, and what `payment-info` says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from gateway_sbp import exact, paper_row
from gateway_sbp.acquirer import StaticCode
from gateway_sbp.acquirers.raiffeisen.wire.words import (
    ANY_ORDER,
    ID,
    QR_ID,
    SUCCESS,
    Unreadable,
    is_charge,
    matching,
    moment,
    order_of,
    payment_id,
    text,
)
from shared.events_gateway import FailureClass
from shared.gateway.provider import Order, ProviderPayment, Status
from shared.money import RUB

METHOD: Final = "sbp"
EXPIRED: Final = "expired"
DECLINED: Final = "declined"
IN_PROGRESS: Final = "IN_PROGRESS"
CANCELLED: Final = "CANCELLED"
GONE: Final = {"EXPIRED": EXPIRED, CANCELLED: "canceled"}
"""How a code ends without a payment, and what we call it."""
GRACE: Final = timedelta(minutes=10)
"""After a code's end, before nobody can be paying by it any more."""
TERM: Final = timedelta(days=3)
"""How long a code lives where nobody has said it."""
DESCRIPTION_MAX: Final = 32
DETAILS_MAX: Final = 140


def request(order: Order, merchant: str, expires_at: datetime) -> bytes:
    """Return the bytes that register a code for one payment, or ask for a charge."""
    contracts = ", ".join(part.contract for part in order.allocations)
    details = _plain(f"Пополнение договора {contracts}")[:DETAILS_MAX]
    body: dict[str, Any] = {
        "order": order_of(order.payment_id, charge=order.token is not None),
        "amount": exact.roubles(order.amount_kopecks),
        "currency": RUB,
        "additionalInfo": details,
        "paymentDetails": details,
    }
    if order.token is not None:
        return orjson.dumps({"subscription": order.token, **body})
    body |= {
        "qrType": "QRDynamic",
        "sbpMerchantId": merchant,
        "qrExpirationDate": expires_at.isoformat(timespec="seconds"),
    }
    if order.return_url is not None:
        body["redirectUrl"] = order.return_url
    return orjson.dumps(body)


def static_request(order: str, merchant: str, description: str) -> bytes:
    """Return the bytes that register a code for paper: any sum, for ever."""
    return orjson.dumps(
        {
            "qrType": "QRStatic",
            "sbpMerchantId": merchant,
            "order": order,
            "qrDescription": _plain(description)[:DESCRIPTION_MAX],
        }
    )


def registered(shop: str, sent: bytes, said: Any, at: datetime, *, test: bool) -> ProviderPayment:
    """Read the answer to a registration, which says nothing about the sum; raises Unreadable."""
    asked = exact.read(sent)
    return ProviderPayment(
        id=matching(QR_ID, said.get("qrId")),
        shop=shop,
        status=Status.PENDING,
        said=text(said, "qrStatus") or "NEW",
        amount_kopecks=exact.kopecks(asked["amount"]),
        currency=RUB,
        test=test,
        created_at=at,
        method=METHOD,
        qr_payload=payload(said),
        expires_at=moment(said.get("qrExpirationDate")) or moment(asked.get("qrExpirationDate")),
        payment_id=payment_id(asked["order"]),
    )


def payload(said: Any) -> str:
    """Return what a code holds, as the bank made it; raises Unreadable."""
    found = said.get("payload")
    if not isinstance(found, str) or not found.startswith("https://") or len(found) > 1024:
        raise Unreadable("a code without a payload")
    return str(found)


def paid(shop: str, said: Any, at: datetime, *, test: bool) -> ProviderPayment:
    """Read what the bank says of a payment by a code; raises Unreadable.

    A refusal is final for a charge only: whoever pays by a code may try again while it lives.
    """
    order = matching(ANY_ORDER, said.get("order"))
    status, expires = text(said, "paymentStatus"), moment(said.get("qrExpirationDate"))
    created_at, done = moment(said.get("createDate")) or at, status == SUCCESS
    end = (expires or created_at + TERM) + GRACE
    over = at > end and status in ("NO_INFO", "DECLINED")
    refused = status == "DECLINED" and is_charge(order)
    became = Status.CANCELED if over or refused else Status.PENDING
    if done:
        became = Status.SUCCEEDED
    return ProviderPayment(
        id=matching(QR_ID, said.get("qrId")),
        shop=shop,
        status=became,
        said=status,
        amount_kopecks=_amount(said),
        currency=text(said, "currency") or RUB,
        test=test,
        created_at=created_at,
        paid_at=moment(said.get("transactionDate")) if done else None,
        method=METHOD,
        confirmed=status == IN_PROGRESS,
        reason="" if became is not Status.CANCELED else DECLINED if refused else EXPIRED,
        expires_at=expires,
        payment_id=payment_id(order),
        failure=FailureClass.SOFT,
    )


def charged(shop: str, sent: bytes, said: Any, at: datetime, *, test: bool) -> ProviderPayment:
    """Read the answer to a charge, which may leave out what we have said; raises Unreadable."""
    asked = exact.read(sent)
    told = {name: value for name, value in said.items() if value is not None}
    whole = {"order": asked["order"], "amount": asked["amount"], **told}
    found = paid(shop, whole, at, test=test)
    if found.payment_id != payment_id(asked["order"]):
        raise Unreadable("the answer of another charge")
    return found


def charge_body(request: bytes) -> bytes:
    """Return what is sent of a charge's request: the binding stands in the address."""
    asked = exact.read(request)
    body = {name: value for name, value in asked.items() if name != "subscription"}
    return orjson.dumps(body | {"amount": exact.roubles(exact.kopecks(asked["amount"]))})


def static(said: Any) -> StaticCode:
    """Read the answer to the registration of a code for paper; raises Unreadable."""
    return StaticCode(matching(QR_ID, said.get("qrId")), payload(said))


def ended(payment: ProviderPayment, how: str) -> ProviderPayment:
    """Return a payment whose code has ended so; money that comes or is on its way stays."""
    if payment.status is not Status.PENDING or payment.said == IN_PROGRESS or how not in GONE:
        return payment
    return replace(payment, status=Status.CANCELED, reason=GONE[how])


def transaction(qr_id: str, said: Any) -> tuple[str, int | None]:
    """Return the order and the transaction of a code's payment, to refund it; raises Unreadable."""
    order = matching(ANY_ORDER, said.get("order"))
    if said.get("qrId") != qr_id:
        raise Unreadable("the answer about another code")
    found = said.get("transactionId")
    try:
        return order, None if found is None else exact.whole(found)
    except ValueError:
        raise Unreadable("a transaction that is no number") from None


def on_paper(payment: str) -> bool:
    """Say whether a payment is one by a code on paper: known by its transaction, or by a row.

    The id of a code, by which all others are known, has letters in it.
    """
    return paper_row.made_up(payment) or (ID.fullmatch(payment) is not None and payment.isdigit())


def info(qr_id: str) -> str:
    """Return where a code's payment is asked about."""
    return f"/sbp/v1/qr/{qr_id}/payment-info"


def is_charge_request(request: bytes) -> bool:
    """Say whether a request asks for a charge, not for a code."""
    return "subscription" in exact.read(request)


def status(said: Any) -> str:
    """Return the bank's word for how a code stands, and that of the older part of its API."""
    return text(said, "qrStatus") or text(said, "status")


def _amount(said: Any) -> int:
    try:
        return exact.kopecks(said.get("amount"))
    except ValueError:
        raise Unreadable("an amount that is none") from None


def _plain(words: str) -> str:
    """Return a text of letters, digits and signs that the bank takes."""
    return "".join(sign for sign in words if sign.isalnum() or sign in " .,-_/№")
