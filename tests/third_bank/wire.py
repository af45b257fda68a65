"""The bank's words: pure. It counts in kopecks, signs the whole body and knows three states."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import orjson

from shared.gateway.provider import (
    Failure,
    Forged,
    Malformed,
    Missing,
    Nudge,
    Order,
    ProviderPayment,
    Refused,
    Status,
    Throttled,
    Unclear,
)
from shared.money import RUB

NAME: Final = "lastochka"
SIGNATURE: Final = "x-lastochka"
_STATES: Final = {"open": Status.PENDING, "paid": Status.SUCCEEDED, "closed": Status.CANCELED}


def shop_name(merchant: str) -> str:
    """Return what the account is called everywhere."""
    return f"{NAME}:{merchant}"


def request(order: Order) -> bytes:
    """Return the bytes that ask for a code; our id makes a repeat the same code."""
    return orjson.dumps({"id": order.payment_id.hex, "kopecks": order.amount_kopecks})


def payment(shop: str, said: Any, at: datetime) -> ProviderPayment:
    """Read what the bank says of a code."""
    status = _STATES.get(said["state"], Status.PENDING)
    paid_at = datetime.fromisoformat(said["paid_at"]) if said.get("paid_at") else None
    return ProviderPayment(
        id=said["code"],
        shop=shop,
        status=status,
        said=said["state"],
        amount_kopecks=said["kopecks"],
        currency=RUB,
        test=False,
        created_at=at,
        paid_at=paid_at,
        method="sbp",
        reason="canceled" if status is Status.CANCELED else "",
        qr_payload=said["link"],
        payment_id=UUID(said["id"]),
    )


def failure(status: int | None, fault: str, *, reading: bool) -> Missing | Failure:
    """Return what no answer means; whatever is not a definite no is unclear."""
    if status is None:
        return Unclear(fault)
    if status == 404 and reading:
        return Missing()
    if status == 429:
        return Throttled()
    return Refused(f"http_{status}") if 400 <= status < 500 else Unclear(f"http_{status}")


def callback(shop: str, key: bytes, body: bytes, signature: str) -> Nudge:
    """Read a callback; raises Forged and Malformed."""
    wanted = hmac.new(key, body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(wanted, signature):
        raise Forged
    try:
        said = orjson.loads(body)
        code, ours = str(said["code"]), UUID(said["id"])
    except (ValueError, KeyError, TypeError):
        raise Malformed("not a callback of this bank") from None
    return Nudge("payment", shop, code, ours, Status.SUCCEEDED, kept=orjson.dumps({"code": code}))
