"""Payments and their codes: what is asked for, and what the bank says of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson

from gateway_sbp.acquirers.tbank.wire.receipts import receipt
from gateway_sbp.acquirers.tbank.wire.words import (
    METHOD,
    OK,
    PAYMENT_ID,
    Unreadable,
    amount,
    failure_of,
    is_charge,
    link,
    matching,
    order_of,
    payment_id,
    text,
)
from shared.clock import MOSCOW
from shared.events_gateway import FailureClass
from shared.gateway.provider import Order, ProviderPayment, Status
from shared.money import RUB

EXPIRED: Final = "expired"
DECLINED: Final = "declined"
CANCELED: Final = "canceled"
GRACE: Final = timedelta(minutes=10)
"""After a code's end, before nobody can be paying by it any more."""
DESCRIPTION_MAX: Final = 140
BINDING: Final = "RequestKey"
"""Stands in the request of a charge beside what `Init` is asked."""

CONFIRMED: Final = "CONFIRMED"
REFUNDED: Final = "REFUNDED"
PARTIAL: Final = "PARTIAL_REFUNDED"
REFUNDING: Final = frozenset({"REFUNDING", "ASYNC_REFUNDING"})
SETTLED: Final = frozenset({CONFIRMED, REFUNDED, PARTIAL})
_SHOWN: Final = "FORM_SHOWED"
"""Of a charge this is the first word after it was sent."""
UNPAID: Final = frozenset({"NEW", _SHOWN})
"""Nobody is paying yet, so that the payment can be ended without sending money back."""
ENDED: Final = "CANCELED"
NOTHING_LEFT: Final = UNPAID | {ENDED, REFUNDED, "DEADLINE_EXPIRED", "REJECTED", "AUTH_FAIL"}
"""There is no money of this payment that could be sent back."""

_PAID: Final = SETTLED | REFUNDING
_CONFIRMED: Final = frozenset({"AUTHORIZED", "CONFIRMING", "CONFIRM_CHECKING"})
"""The payer has confirmed, and the money is not ours yet."""
_DECLINED: Final = frozenset({"REJECTED", "AUTH_FAIL"})
_OVER: Final = UNPAID | _DECLINED | {"DEADLINE_EXPIRED", "REVERSED"}
"""What is final once the code has ended; every other word is waited for."""


@dataclass(frozen=True, slots=True)
class Known:
    """What we know of a payment ourselves, and the bank does not tell."""

    amount_kopecks: int
    created_at: datetime
    expires_at: datetime | None = None
    returned_kopecks: int = 0
    """What our own refunds have sent back."""


def request(
    order: Order, terminal: str, expires_at: datetime, notification_url: str | None
) -> bytes:
    """Return what `Init` is asked; of a charge also the binding, which is not sent."""
    contracts = ", ".join(part.contract for part in order.allocations)
    body: dict[str, Any] = {
        "TerminalKey": terminal,
        "Amount": order.amount_kopecks,
        "OrderId": order_of(order.payment_id, charge=order.token is not None),
        "Description": f"Пополнение договора {contracts}"[:DESCRIPTION_MAX],
        "PayType": "O",
        "RedirectDueDate": expires_at.astimezone(MOSCOW).isoformat(timespec="seconds"),
    }
    if order.return_url is not None:
        body |= {"SuccessURL": order.return_url, "FailURL": order.return_url}
    if notification_url is not None:
        body["NotificationURL"] = notification_url
    if order.receipt is not None:
        body["Receipt"] = receipt(order.receipt)
    if order.token is not None:
        body[BINDING] = order.token
    return orjson.dumps(body)


def made(asked: Mapping[str, Any], said: Any) -> str:
    """Return the PaymentId that `Init` has given; raises Unreadable for another payment's."""
    agree(asked, said)
    return matching(PAYMENT_ID, said.get("PaymentId"))


def agree(asked: Mapping[str, Any], said: Any) -> None:
    """Raise Unreadable where an answer is about another order, terminal or amount than asked."""
    _same_order(asked, said)
    if amount(said, "Amount") not in (None, asked["Amount"]):
        raise Unreadable("another Amount")


def of_order(asked: Mapping[str, Any], said: Any) -> str | None:
    """Return the payment that `CheckOrder` knows of an order, None for none; raises Unreadable.

    Of several the paid one counts, else one that is under way: to go on with a new one beside it
    could take the money twice. Else the last.
    """
    _same_order(asked, said)
    payments = said.get("Payments")
    if payments is None:
        return None
    if not isinstance(payments, list) or not all(isinstance(one, dict) for one in payments):
        raise Unreadable("not a list of payments")
    paid = [one for one in payments if text(one, "Status") in _PAID]
    begun = [one for one in payments if text(one, "Status") not in NOTHING_LEFT - {_SHOWN}]
    found = (paid or begun or payments)[-1:]
    return matching(PAYMENT_ID, found[0].get("PaymentId")) if found else None


def code(asked: Mapping[str, Any], payment: str, said: Any) -> str:
    """Return what the code of a payment holds; raises Unreadable for the code of another one."""
    _same_order(asked, said)
    if said.get("PaymentId") not in (None, payment):
        raise Unreadable("the code of another payment")
    return link(said)


def status_of(said: Any) -> str:
    """Return the bank's word for how a payment stands; raises Unreadable."""
    found = text(said, "Status")
    if not found:
        raise Unreadable("a payment without a status")
    return found


def payment(
    shop: str, said: Any, known: Known | None, at: datetime, *, test: bool
) -> ProviderPayment:
    """Read how a payment stands; raises Unreadable.

    A refusal is final for a charge only: whoever pays by a code may try again while it lives.
    """
    word, order = status_of(said), text(said, "OrderId")
    status, reason = _status(word, known, at, charge=is_charge(order))
    kopecks = original(said, known)
    code = text(said, "ErrorCode", 20)
    return ProviderPayment(
        id=matching(PAYMENT_ID, said.get("PaymentId")),
        shop=shop,
        status=status,
        said=word,
        amount_kopecks=kopecks,
        currency=RUB,
        test=test,
        created_at=at if known is None else known.created_at,
        paid_at=at if status is Status.SUCCEEDED else None,
        method=METHOD,
        confirmed=status is Status.PENDING and word in _CONFIRMED,
        reason=code if reason == DECLINED and code not in ("", OK) else reason,
        expires_at=None if known is None else known.expires_at,
        payment_id=payment_id(order),
        refunded_kopecks=returned(said, known, kopecks),
        failure=FailureClass.SOFT if reason != DECLINED else failure_of(code),
    )


def original(said: Any, known: Known | None) -> int:
    """Return what was paid, whether the bank says that or what is left of it; raises Unreadable.

    What is left of a payment is no news about what was paid: there our own record counts.
    """
    found = max(amount(said, "OriginalAmount") or 0, amount(said, "Amount") or 0)
    less = text(said, "Status") in _PAID - {CONFIRMED}
    if less and known is not None and found <= known.amount_kopecks:
        return known.amount_kopecks
    if not found:
        raise Unreadable("a payment without an amount")
    return found


def rest(said: Any) -> int | None:
    """Return the amount that a payment shows, which may be what is left; None where none is."""
    left = amount(said, "NewAmount")
    return amount(said, "Amount") if left is None else left


def returned(said: Any, known: Known | None, kopecks: int) -> int:
    """Return what was sent back of a payment, as far as that can be told."""
    word, left = text(said, "Status"), rest(said)
    if word == REFUNDED:
        return kopecks
    ours = 0 if known is None else known.returned_kopecks
    if word == PARTIAL and left is not None and left < kopecks:
        return kopecks - left
    return ours


def _same_order(asked: Mapping[str, Any], said: Any) -> None:
    for name in ("TerminalKey", "OrderId"):
        if said.get(name) is not None and said[name] != asked[name]:
            raise Unreadable(f"another {name}")


def _status(word: str, known: Known | None, at: datetime, *, charge: bool) -> tuple[Status, str]:
    if word in _PAID:
        return Status.SUCCEEDED, ""
    if word == ENDED:
        return Status.CANCELED, CANCELED
    if charge and word in _DECLINED:
        return Status.CANCELED, DECLINED
    until = None if known is None else known.expires_at
    if word in _OVER and until is not None and at > until + GRACE:
        return Status.CANCELED, EXPIRED
    return Status.PENDING, ""
