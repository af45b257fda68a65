"""Refunds: each has an id of ours, which the bank keeps and can be asked about."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from gateway_sbp import exact
from gateway_sbp.acquirers.raiffeisen.wire.words import Unreadable, text
from shared.gateway.provider import ProviderRefund, RefundOrder, Status
from shared.money import RUB

_STATUSES: Final = {
    "IN_PROGRESS": Status.PENDING,
    "COMPLETED": Status.SUCCEEDED,
    "DECLINED": Status.CANCELED,
}
_BETWEEN: Final = ":"


def refund_request(order: RefundOrder) -> bytes:
    """Return what is to be sent back; order and transaction are added when it is sent."""
    return orjson.dumps(
        {
            "of": order.provider_payment_id,
            "refundId": order.refund_id.hex,
            "amount": exact.roubles(order.amount_kopecks),
            "paymentDetails": "Возврат платежа",
        }
    )


def named(request: bytes) -> str:
    """Return how we call the refund of a request: the bank knows no payment of it."""
    asked = exact.read(request)
    return called(asked["refundId"], asked["of"])


def called(refund: str, payment: str) -> str:
    """Return how we call a refund of this id at the bank and of this payment."""
    return f"{refund}{_BETWEEN}{payment}"


def of(request: bytes) -> str:
    """Return the payment of a request's refund."""
    return str(exact.read(request)["of"])


def refund_id(name: str) -> str:
    """Return the bank's id of a refund that we call so."""
    return name.partition(_BETWEEN)[0]


def sent(request: bytes, order: str, transaction: int | None) -> bytes:
    """Return the bytes that ask for a refund; one of a code on paper needs its transaction."""
    asked = exact.read(request)
    body: dict[str, Any] = {
        "order": order,
        "refundId": asked["refundId"],
        "amount": exact.roubles(exact.kopecks(asked["amount"])),
        "paymentDetails": asked["paymentDetails"],
    }
    if transaction is not None:
        body["transactionId"] = transaction
    return orjson.dumps(body)


def refund(name: str, said: Any, at: datetime) -> ProviderRefund:
    """Read what the bank says of a refund that we call so; raises Unreadable."""
    newer = said.get("status")
    status = text(said, "refundStatus") or text(newer, "value") or text(said, "status")
    if not status:
        raise Unreadable("a refund without a status")
    ours, _, payment = name.partition(_BETWEEN)
    became = _STATUSES.get(status, Status.PENDING)
    try:
        amount = exact.kopecks(said.get("amount"))
    except ValueError:
        raise Unreadable("an amount that is none") from None
    return ProviderRefund(
        id=name,
        provider_payment_id=payment,
        status=became,
        said=status,
        amount_kopecks=amount,
        currency=RUB,
        created_at=at,
        reason=(text(said, "declineReason") or status) if became is Status.CANCELED else "",
        refund_id=_uuid(ours),
    )


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None
