"""What may be kept of what YooKassa was told and what it said: named fields, and nothing else.

A list of what is allowed, not of what is secret: a field that YooKassa adds tomorrow is left out
until somebody has looked at it. A saved method's id opens the payer's account, so it is nowhere
kept; a payment's id is no secret, even where both are the same text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

import orjson

from gateway_yookassa.wire.words import ID, harmless, uuid
from shared.redaction import redacted

TEXT_MAX: Final = 512

_DIGIT = re.compile(r"\d(?=\d{4})")
_LONG = re.compile(r"\d{5}")
_TYPED: Final = frozenset({"error", "payment", "refund"})
"""Objects whose id is no secret and that have no amount: errors and receipts."""

Shape = Mapping[str, Any]
"""Which fields are kept: None for a plain value, a shape for an object, or what makes it fit."""


def _title(value: Any) -> Any:
    """Leave four digits of a run: a title may be the number of a wallet or a telephone."""
    if not isinstance(value, str):
        return None
    # Looking first, because this is done for every callback and most titles are harmless.
    return _DIGIT.sub("*", value[:64]) if _LONG.search(value) else value[:64]


def _detail(value: Any) -> Any:
    return harmless(value) if isinstance(value, str) else None


def _count(value: Any) -> Any:
    return len(value) if isinstance(value, list) else None


def _plain(*names: str) -> dict[str, Any]:
    return dict.fromkeys(names)


_AMOUNT: Final = _plain("value", "currency")
_METHOD: Final = {
    **_plain("type", "saved", "status"),
    "title": _title,
    "card": _plain("last4", "card_type"),
}
_OBJECT: Final[Shape] = {
    **_plain("type", "status", "paid", "test", "refundable", "capture", "save_payment_method"),
    **_plain("created_at", "captured_at", "expires_at", "registered_at"),
    **_plain("payment_id", "refund_id", "receipt_registration", "saved", "tax_system_code"),
    **_plain("fiscal_document_number", "fiscal_storage_number", "fiscal_attribute"),
    **dict.fromkeys(("amount", "income_amount", "refunded_amount"), _AMOUNT),
    "recipient": _plain("account_id", "gateway_id"),
    "cancellation_details": _plain("party", "reason"),
    "confirmation": _plain("type"),
    "payment_method": _METHOD,
    "payment_method_data": _plain("type"),
    "metadata": _plain(
        *("payment_id", "contract", "allocations", "charge_id", "refund_id", "request_id")
    ),
    "title": _title,
    "items": _count,
}
_ERROR: Final[Shape] = {
    **_plain("type", "code", "parameter", "retry_after"),
    "description": _detail,
}
_NOTICE: Final[Shape] = _plain("type", "event")
_CLAIM: Final[Shape] = {
    **_plain("status", "paid", "test", "payment_id", "created_at"),
    "amount": _AMOUNT,
    "cancellation_details": _plain("party", "reason"),
    "metadata": _plain("payment_id", "contract", "charge_id", "refund_id"),
}
"""What a callback claims, in short: thousands may come in a second, and nothing of it is believed.
The whole is in the answer to the question that follows, an entry of its own."""
_PLAIN: Final = frozenset((bool, int, type(None)))


class Subject(NamedTuple):
    """What a request or a callback is about; none of it is secret."""

    object_id: str | None = None
    provider_payment_id: str | None = None
    payment_id: UUID | None = None
    """Our own id, where it was said."""


def masked(value: Any) -> bytes:
    """Return what may be kept of a request, an answer or a callback, as JSON; empty for others."""
    if not isinstance(value, dict):
        return b""
    about = value.get("object")
    kept = _object(value) if not isinstance(about, dict) else _kept(value, _NOTICE)
    if isinstance(about, dict):
        kept["object"] = _object(about)
    return _clean(kept)


def claimed(notice: Mapping[str, Any], about: Mapping[str, Any], found: str) -> bytes:
    """Return in short what a callback claims; `found` is the id of its object, if no secret."""
    kept = _kept(notice, _NOTICE)
    kept["object"] = {"id": found, **_kept(about, _CLAIM)} if found else _kept(about, _CLAIM)
    return _clean(kept)


def masked_body(body: bytes) -> bytes:
    """Return what may be kept of a body; nothing of one that is not JSON."""
    try:
        return masked(orjson.loads(body))
    except orjson.JSONDecodeError:
        return b""


def subject(path: str, sent: Any, said: Any) -> Subject:
    """Return what a request is about, by its path, its body and its answer."""
    collection, _, rest = path.lstrip("/").partition("/")
    if collection not in ("payments", "refunds", "receipts"):
        return Subject()
    bodies = [body for body in (said, sent) if isinstance(body, dict)]
    found = rest.partition("/")[0] or _id(said, "id") if _identified(said) or rest else None
    payment = found if collection == "payments" else _first(bodies, "payment_id")
    metadata = [body["metadata"] for body in bodies if isinstance(body.get("metadata"), dict)]
    ours = _first(metadata, "payment_id")
    return Subject(found, payment, uuid(ours))


def _clean(kept: dict[str, Any]) -> bytes:
    text = orjson.dumps(kept)
    # YooKassa writes neither into these fields, but whoever invents a callback may.
    return orjson.dumps(redacted(kept)) if b"@" in text or b"+" in text else text


def _object(value: Mapping[str, Any]) -> dict[str, Any]:
    kept = _kept(value, _ERROR if value.get("type") == "error" else _OBJECT)
    if _identified(value):
        kept["id"] = _id(value, "id")
    return kept


def _identified(value: Any) -> bool:
    # By what a payment, a refund, a receipt and an error have and a saved method has not.
    return isinstance(value, dict) and ("amount" in value or value.get("type") in _TYPED)


def _kept(value: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, said in value.items():
        if name not in shape:
            continue
        inner, kind = shape[name], type(said)
        if inner is None:
            if kind is str:
                kept[name] = said if len(said) <= TEXT_MAX else said[:TEXT_MAX]
            elif kind in _PLAIN:
                kept[name] = said
        elif type(inner) is not dict:
            kept[name] = inner(said)
        elif kind is dict:
            kept[name] = _kept(said, inner)
    return kept


def _id(value: Any, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) and ID.fullmatch(found) else None


def _first(bodies: list[Any], name: str) -> str | None:
    return next((found for body in bodies if (found := _id(body, name))), None)
