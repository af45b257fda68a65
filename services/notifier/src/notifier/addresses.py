"""Phones and e-mail addresses: made uniform, judged, and masked for who need not know them."""

from __future__ import annotations

import re
from typing import Final

_SEPARATORS = re.compile(r"[\s()\-.]+")
_PHONE = re.compile(r"\+?\d{10,15}", re.ASCII)
_EMAIL = re.compile(r"[^\s@<>,;:\"()\\]{1,64}@[^\s@<>,;:\"()\\]{1,253}")
_SHOWN_DIGITS: Final = 4


def phone(written: str) -> str | None:
    """Return the number in the international form, `+79161234567`; None where it is no number.

    Russians write their own numbers with 8 or with nothing before the ten digits.
    """
    text = _SEPARATORS.sub("", written)
    if not _PHONE.fullmatch(text):
        return None
    if text.startswith("+"):
        return text
    if len(text) == 10:
        return f"+7{text}"
    return f"+7{text[1:]}" if len(text) == 11 and text[0] == "8" else f"+{text}"


def email(written: str) -> str | None:
    """Return the address without surrounding spaces; None where no mail could go there."""
    text = written.strip()
    return text if _EMAIL.fullmatch(text) else None


def masked(address: str) -> str:
    """Return an address that its owner recognises and nobody else can use."""
    if "@" in address:
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}***@{domain}"
    return f"{address[:2]}***{address[-_SHOWN_DIGITS:]}"
