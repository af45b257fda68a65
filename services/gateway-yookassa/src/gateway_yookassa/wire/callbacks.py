"""Notifications: what they are about, of which nothing is believed. Source: "Webhooks"."""

from __future__ import annotations

import re
from typing import Final

import orjson

from gateway_yookassa.wire.masked import claimed
from gateway_yookassa.wire.words import ID, shop_name, uuid
from shared.gateway.provider import Kind, Malformed, Nudge, Status

_EVENTS: Final = {
    "payment.waiting_for_capture": (Kind.PAYMENT, Status.PENDING),
    "payment.succeeded": (Kind.PAYMENT, Status.SUCCEEDED),
    "payment.canceled": (Kind.PAYMENT, Status.CANCELED),
    "refund.succeeded": (Kind.REFUND, Status.SUCCEEDED),
    "payment_method.active": (Kind.METHOD, Status.SUCCEEDED),
}
_EVENT = re.compile(r"[a-z_]{1,40}\.[a-z_]{1,40}", re.ASCII)


def callback(body: bytes, shops: frozenset[str], default: str) -> Nudge | None:
    """Read a notification: None for a well-formed one that is about nothing of ours.

    The shop is the one it names, where that is one of `shops`, else `default`. What may be kept of
    the body comes along. Raises Malformed.
    """
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Malformed("not JSON") from None
    if not isinstance(said, dict) or said.get("type") != "notification":
        raise Malformed('"type" must be "notification"')
    event, about = said.get("event"), said.get("object")
    if not isinstance(event, str) or not (event in _EVENTS or _EVENT.fullmatch(event)):
        raise Malformed('"event" must name an object and its status')
    if not isinstance(about, dict):
        raise Malformed('"object" must be an object')
    found = about.get("id")
    if not isinstance(found, str) or not ID.fullmatch(found):
        raise Malformed('"object.id" must be an id')
    if event not in _EVENTS:
        return None
    kind, claims = _EVENTS[event]
    metadata, recipient = about.get("metadata"), about.get("recipient")
    account = recipient.get("account_id") if isinstance(recipient, dict) else None
    named = shop_name(account) if isinstance(account, str) else default
    payment_id = uuid(metadata.get("payment_id")) if isinstance(metadata, dict) else None
    belongs = about.get("payment_id") if kind is Kind.REFUND else None
    if belongs is not None and not (isinstance(belongs, str) and ID.fullmatch(belongs)):
        raise Malformed('"object.payment_id" must be an id')
    shop = named if named in shops else default
    kept = claimed(said, about, "" if kind is Kind.METHOD else found)
    return Nudge(event, shop, found, payment_id, claims, kind, belongs, kept)
