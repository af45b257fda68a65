"""What the journal keeps of Raiffeisen: named fields, and ids in no path.

A subscription's id opens the payer's account, so it is nowhere kept.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from gateway_sbp import exact
from gateway_sbp.acquirers.raiffeisen.wire.words import ORDER, payment_id, text
from shared import log as logs
from shared.gateway.client import Exchange
from shared.gateway.journal import Entry
from shared.redaction import redacted

TEXT_MAX: Final = 200

_KEPT: Final = (
    *("code", "message", "qrId", "qrStatus", "qrType", "order", "amount", "currency"),
    *("paymentStatus", "transactionId", "transactionDate", "createDate", "qrExpirationDate"),
    *("refundId", "refundStatus", "declineReason", "status", "sbpMerchantId", "receiptType"),
)
_HIDDEN: Final = r"\1{id}"
_COLLECTIONS: Final = re.compile(r"(/qrs/|/qr/|/refund/|/sell/|/subscriptions/|/orders/)[^/]+")


def entry(one: Exchange) -> Entry:
    """Return the entry of a request and its answer."""
    sent, said = _read(one.sent or b""), _read(one.heard.body)
    qr = text(said, "qrId") or _of_path(one.path)
    order = text(said, "order") or text(sent, "order")
    return Entry(
        one.at,
        "out",
        one.shop,
        f"{one.method} {_COLLECTIONS.sub(_HIDDEN, one.path)}",
        one.outcome,
        one.heard.status,
        round(one.seconds * 1_000_000),
        qr or None,
        qr or None,
        payment_id(order) if ORDER.fullmatch(order) else None,
        logs.correlation_id(),
        _kept(sent),
        _kept(said),
    )


def masked(body: bytes) -> bytes:
    """Return what may be kept of a callback that could not be read."""
    return (_kept(_read(body)) or "").encode()


def _of_path(path: str) -> str:
    found = re.search(r"/qrs?/([0-9A-Za-z]{8,64})(/|$)", path)
    return found.group(1) if found else ""


def _kept(said: Any) -> str | None:
    if not isinstance(said, dict):
        return None
    kept = {name: _whole(said[name]) for name in _KEPT if isinstance(said.get(name), str)}
    return orjson.dumps(redacted(kept)).decode() if kept else None


def _whole(value: str) -> str:
    """Return a text without halves of characters, which JSON can say and nobody can write."""
    return str(value)[:TEXT_MAX].encode("utf-8", "replace").decode()


def _read(body: bytes) -> Any:
    try:
        return exact.read(body) if body else None
    except ValueError:
        return None
