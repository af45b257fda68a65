"""Notifications: each is signed whole, and each is only a reason to ask. Source: "Notifications".

A terminal of one stage tells AUTHORIZED and CONFIRMED at the same moment and in any order; only the
second one claims money.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from gateway_sbp import exact
from gateway_sbp.acquirers.tbank.wire.payments import CONFIRMED, PARTIAL, REFUNDED, REFUNDING
from gateway_sbp.acquirers.tbank.wire.token import genuine
from gateway_sbp.acquirers.tbank.wire.words import (
    KEY,
    PAYMENT_ID,
    flag,
    payment_id,
    shop_name,
    text,
)
from shared.gateway.provider import Forged, Kind, Malformed, Nudge, Status

_KEPT: Final = (
    *("Status", "PaymentId", "OrderId", "Amount", "OriginalAmount", "NewAmount"),
    *("ErrorCode", "NotificationType"),
)
_SENT_BACK: Final = REFUNDING | {PARTIAL, REFUNDED}


def notice(body: bytes, terminal: str, password: str) -> Nudge | None:
    """Read a notification: None for one that is about nothing of ours.

    Raises Forged for a Token that is not the bank's or another terminal, Malformed for what no bank
    would send.
    """
    said = _object(body)
    if said.get("TerminalKey") != terminal or not genuine(said, password):
        raise Forged
    shop, found = shop_name(terminal), text(said, "PaymentId")
    if found:
        return _of_payment(said, shop, found)
    binding = said.get("RequestKey")
    if binding is None:
        return None
    if not isinstance(binding, str) or not KEY.fullmatch(binding):
        raise Malformed("a binding's key of another form")
    event = f"binding.{_written(text(said, 'Status')).lower() or 'unknown'}"
    return Nudge(event, shop, str(binding), None, Status.PENDING, Kind.METHOD)


def _of_payment(said: dict[str, Any], shop: str, found: str) -> Nudge:
    word = text(said, "Status", 40)
    if not PAYMENT_ID.fullmatch(found):
        raise Malformed("a payment without an id")
    event = f"payment.{_written(word).lower() or 'unknown'}"
    if word in _SENT_BACK:
        # A payment is sent back in parts: each is told under the same word, with another amount.
        event += f".{_written(text(said, 'Amount', 20))}"
    paid = word == CONFIRMED and flag(said.get("Success", True))
    claims = Status.SUCCEEDED if paid else Status.PENDING
    ours = payment_id(text(said, "OrderId"))
    return Nudge(event, shop, found, ours, claims, kept=_kept(said))


def _object(body: bytes) -> dict[str, Any]:
    try:
        said = exact.read(body)
    except ValueError:
        raise Malformed("not JSON") from None
    if not isinstance(said, dict):
        raise Malformed("not an object")
    return said


def _kept(said: dict[str, Any]) -> bytes:
    kept = {name: _written(text(said, name)) for name in _KEPT}
    return orjson.dumps({name: value for name, value in kept.items() if value})


def _written(value: str) -> str:
    """Return a text without what JSON can say and nobody can write down."""
    return value.encode("utf-8", "replace").decode().replace("\0", "?")
