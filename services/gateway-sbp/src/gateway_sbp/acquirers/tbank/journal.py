"""What the journal keeps of T-Bank: named fields only.

Left out are Tokens, what charges an account (`AccountToken`, `RequestKey`), receipts with their
addresses, and whatever the bank may add one day.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from gateway_sbp import exact
from gateway_sbp.acquirers.tbank.wire.words import PAYMENT_ID, payment_id, text
from shared import log as logs
from shared.gateway.client import Exchange
from shared.gateway.journal import Entry
from shared.redaction import redacted

TEXT_MAX: Final = 200

_KEPT: Final = (
    *("ErrorCode", "Message", "Details", "Status", "PaymentId", "OrderId", "TerminalKey"),
    *("Amount", "OriginalAmount", "NewAmount", "ExternalRequestId", "RedirectDueDate"),
    *("QrCancelCode", "QrCancelMessage", "NotificationType", "BankMemberId", "PayType"),
)


def entry(one: Exchange) -> Entry:
    """Return the entry of a request and its answer; the addresses hold no ids."""
    sent, said = _read(one.sent or b""), _read(one.heard.body)
    found = text(said, "PaymentId") or text(sent, "PaymentId")
    found = found if PAYMENT_ID.fullmatch(found) else ""
    order = text(said, "OrderId") or text(sent, "OrderId")
    return Entry(
        one.at,
        "out",
        one.shop,
        f"{one.method} {one.path}",
        one.outcome,
        one.heard.status,
        round(one.seconds * 1_000_000),
        found or None,
        found or None,
        payment_id(order),
        logs.correlation_id(),
        _kept(sent),
        _kept(said),
    )


def masked(body: bytes) -> bytes:
    """Return what may be kept of a notification that could not be read."""
    return (_kept(_read(body)) or "").encode()


def _kept(said: Any) -> str | None:
    found = {name: text(said, name, TEXT_MAX) for name in _KEPT}
    kept = {name: value for name, value in found.items() if value}
    return orjson.dumps(redacted(kept)).decode() if kept else None


def _read(body: bytes) -> Any:
    try:
        return exact.read(body) if body else None
    except ValueError:
        return None
