"""Accounts bound for later charges, which the bank calls subscriptions."""

from __future__ import annotations

from typing import Any, Final
from uuid import uuid4

import orjson

from gateway_sbp import exact
from gateway_sbp.acquirers.raiffeisen.wire.codes import METHOD, payload
from gateway_sbp.acquirers.raiffeisen.wire.words import ID, Unreadable, matching, text
from shared.gateway.method import MethodStatus, ProviderMethod

_STATUSES: Final = {
    "INACTIVE": MethodStatus.PENDING,
    "SUBSCRIBED": MethodStatus.ACTIVE,
    "UNSUBSCRIBED": MethodStatus.INACTIVE,
}
_TITLE: Final = "СБП"


def binding(merchant: str, return_url: str) -> bytes:
    """Return the bytes that ask for a binding; its id is ours, so that it can be asked about."""
    return orjson.dumps(
        {
            "id": uuid4().hex,
            "sbpMerchantId": merchant,
            "subscriptionPurpose": "Автоплатёж за услуги связи",
            "redirectUrl": return_url,
        }
    )


def asked_id(request: bytes) -> str:
    """Return the id that a request asks for."""
    return str(exact.read(request)["id"])


def method(said: Any) -> ProviderMethod:
    """Read what the bank says of a binding; raises Unreadable."""
    status = text(said, "status")
    if not status:
        raise Unreadable("a binding without a status")
    bank = text(said, "bank", 40)
    code = said.get("qr")
    shown = isinstance(code, dict) and code.get("payload") is not None
    return ProviderMethod(
        token=matching(ID, said.get("id")),
        status=_STATUSES.get(status, MethodStatus.PENDING),
        kind=METHOD,
        title=f"{_TITLE}, {bank}" if bank else _TITLE,
        confirmation_url=payload(code) if shown else None,
    )
