"""Reading requests: every field that YooKassa refuses is refused, and named in `parameter`.

YooKassa API v3 (OpenAPI 3.0.2 of 2026-07). Unknown fields, and the empty lists that the official
SDK always sends, are accepted. Choices are tuples: a JSON list would not be looked up in a set.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from simulators.settings import ALL_METHODS, Shop
from simulators.yookassa.errors import bad
from simulators.yookassa.money import kopecks

LEAST = 100
MOST = {"bank_card": 350_000_00, "sbp": 700_000_00, "yoo_money": 250_000_00}
"""Kopecks a method takes at once; others take what a card takes."""

DESCRIPTION = 128
REFUND_DESCRIPTION = 250
METADATA_KEYS, METADATA_NAME, METADATA_VALUE = 16, 32, 512
RETURN_URL = 2048
CUSTOMER_ID = 200
LOCALES = ("ru_RU", "en_US")


def amount(body: dict[str, Any], shop: Shop, most: int | None = None) -> int:
    """Return `amount` in kopecks."""
    given = body.get("amount")
    if not isinstance(given, dict):
        raise bad("amount", "Payment amount is illegal")
    if given.get("currency") != shop.currency:
        raise bad("amount.currency", "Currency code is illegal")
    value = kopecks(given.get("value"))
    if value is None or value <= 0 or (most is not None and not LEAST <= value <= most):
        raise bad("amount.value", "Payment amount is illegal")
    return value


def limit(method_type: str | None, shop: Shop) -> int:
    """Return the most that a payment by this method, or by any the shop has, may be."""
    kinds = [method_type] if method_type else shop.methods
    return max(MOST.get(kind, MOST["bank_card"]) for kind in kinds)


def text(body: dict[str, Any], name: str, longest: int) -> str | None:
    """Return an optional text of bounded length."""
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise bad(name, "Invalid request parameter")
    if len(value) > longest:
        raise bad(name, f"{name.capitalize()} is too long. Max. length is {longest}")
    return value


def flag(body: dict[str, Any], name: str) -> bool | None:
    """Return an optional bool; the text "true" of one documentation page counts, too."""
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return bool(value == "true")
    raise bad(name, "Invalid request parameter")


def metadata(body: dict[str, Any]) -> dict[str, str]:
    """Return the shop's own keys and values, as texts."""
    given = body.get("metadata")
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise bad("metadata", "Invalid request parameter")
    if len(given) > METADATA_KEYS:
        raise bad("metadata", f"Metadata object is limited to {METADATA_KEYS} keys")
    for name, value in given.items():
        if not isinstance(value, str):
            raise bad(f"metadata.{name}", "Invalid request parameter")
        if len(name) > METADATA_NAME:
            raise bad(
                "metadata",
                f"The key names length in metadata object is limited to {METADATA_NAME} characters",
            )
        if len(value) > METADATA_VALUE:
            raise bad(
                "metadata",
                "The key values length in metadata object is limited to "
                f"{METADATA_VALUE} characters",
            )
    return given


def method_type(body: dict[str, Any], shop: Shop) -> str | None:
    """Return the kind of `payment_method_data`, or None where the payer is to choose."""
    data = body.get("payment_method_data")
    if data is None:
        return None
    kind = data.get("type") if isinstance(data, dict) else None
    if kind not in ALL_METHODS:
        raise bad("payment_method_data.type", "Illegal payment method type")
    if kind not in shop.methods:
        raise bad("payment_method_data.type", "Payment method is not available")
    return str(kind)


def confirmation(body: dict[str, Any], kind: str | None) -> dict[str, Any]:
    """Return the `confirmation` asked for."""
    given = body.get("confirmation")
    if not isinstance(given, dict):
        raise bad("confirmation", "Confirmation is missing")
    how = given.get("type")
    if how not in ("redirect", "embedded", "qr") or (how == "qr" and kind != "sbp"):
        raise bad("confirmation.type", "Illegal confirmation type")
    if given.get("locale") is not None and given["locale"] not in LOCALES:
        raise bad("confirmation.locale", "Invalid request parameter")
    url = given.get("return_url")
    if how == "redirect" and not url:
        raise bad("confirmation.return_url", "Return url is missing")
    if url is not None and not _absolute(url):
        raise bad("confirmation.return_url", "Invalid request parameter")
    return {"type": how, "return_url": url}


def _absolute(url: object) -> bool:
    if not isinstance(url, str) or len(url) > RETURN_URL:
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname)
