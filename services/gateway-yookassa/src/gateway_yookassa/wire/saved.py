"""Saved methods: the request that binds one, and what is told of one, alone or with a payment.

Only `saved: true` counts. Source: YooKassa's OpenAPI document of API v3, 2026; the required
`status` is missing in most of its examples, so a method does without it.
"""

from __future__ import annotations

import re
from typing import Any, Final

import orjson

from gateway_yookassa.wire.words import ID, Unreadable, matching, text, web_address
from shared.gateway.method import MethodStatus, ProviderMethod

BINDABLE: Final = frozenset({"bank_card", "sbp"})

_STATUSES: Final = {"active": MethodStatus.ACTIVE, "inactive": MethodStatus.INACTIVE}
_NAMES: Final = {
    "bank_card": "Банковская карта",
    "sbp": "СБП",
    "yoo_money": "Кошелёк ЮMoney",
    "sberbank": "SberPay",
    "tinkoff_bank": "T-Pay",
}
_CARD_TYPES: Final = {"MasterCard": "Mastercard", "Mir": "Мир", "AmericanExpress": "Amex"}
_LAST4 = re.compile(r"[0-9]{4}", re.ASCII)
_MONTH = re.compile(r"0[1-9]|1[0-2]", re.ASCII)
_YEAR = re.compile(r"20[0-9]{2}", re.ASCII)


def binding(kind: str, return_url: str) -> bytes:
    """Return the body that asks for a binding of zero kopecks."""
    confirmation = {"type": "redirect", "return_url": return_url}
    return orjson.dumps({"type": kind, "confirmation": confirmation})


def method(value: Any) -> ProviderMethod:
    """Read a saved method; raises Unreadable. Active is only what is saved as well."""
    if not isinstance(value, dict):
        raise Unreadable("not a payment method")
    said = value.get("status", "active")
    status = _STATUSES.get(said, MethodStatus.PENDING) if isinstance(said, str) else None
    if status is None:
        raise Unreadable("the status of a payment method is no text")
    if status is MethodStatus.ACTIVE and value.get("saved") is not True:
        status = MethodStatus.PENDING
    return _described(value, status)


def saved_with(value: Any) -> ProviderMethod | None:
    """Return the method that a payment has saved; None where it has saved none.

    One that cannot be read counts as none: it must not hide the payment's money.
    """
    if not isinstance(value, dict) or value.get("saved") is not True:
        return None
    if value.get("status") == "inactive":
        return None
    try:
        return _described(value, MethodStatus.ACTIVE)
    except Unreadable:
        return None


def _described(value: dict[str, Any], status: MethodStatus) -> ProviderMethod:
    kind = text(value, "type")
    card = value.get("card")
    return ProviderMethod(
        token=matching(ID, value.get("id")),
        status=status,
        kind=kind,
        title=_title(kind, card, text(value, "account_number")),
        expires=_expires(card),
        confirmation_url=web_address(value.get("confirmation")),
    )


def _title(kind: str, card: Any, account: str) -> str:
    """Made here of the last digits alone: the provider's own title may hold a whole number."""
    last4 = _matched(_LAST4, text(card, "last4")) or _matched(_LAST4, account[-4:])
    said = text(card, "card_type")
    name = _CARD_TYPES.get(said, said) if said and said != "Unknown" else _NAMES.get(kind, kind)
    return f"{name} •{last4}" if last4 else name


def _expires(card: Any) -> str | None:
    year = _matched(_YEAR, text(card, "expiry_year"))
    month = _matched(_MONTH, text(card, "expiry_month"))
    return f"{year}-{month}" if year and month else None


def _matched(pattern: re.Pattern[str], value: str) -> str:
    return value if pattern.fullmatch(value) else ""
