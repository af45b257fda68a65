"""Phones and e-mail addresses: made uniform, judged, and masked for who need not know them."""

from __future__ import annotations

import re
from typing import Final

_UNSEEN: Final = r"\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufeff"
"""What programs put into a text they copy, and nobody can see."""
_COPIED = re.compile(f"[{_UNSEEN}]+")
_SEPARATORS = re.compile(rf"[\s()\[\].\-/\u2010-\u2015\u2212{_UNSEEN}]+")
"""Whatever people and their programs put between digits: dashes of all kinds, hard spaces."""
_CALLED = re.compile(r"(tel|phone|mob|тел|телефон|моб|сот|т)[.:]*", re.IGNORECASE)
_PHONE = re.compile(r"\+?\d{10,15}", re.ASCII)
_TOO_SHORT = re.compile(r"[78]9\d{8}", re.ASCII)
"""A Russian mobile with its 8 or 7 that lacks a digit: no area of ten digits begins so."""
_RUSSIAN_DIGITS: Final = 11
_EMAIL = re.compile(r"[^\s@<>,;:\"()\\]{1,64}@[^\s@<>,;:\"()\\]{1,253}")
_SHOWN_DIGITS: Final = 4


def phone(written: str) -> str | None:
    """Return the number in the international form, `+79161234567`; None where it is no number.

    Russians write their own numbers with 8, with 7 or with nothing before the ten digits, and those
    of other countries with +, with 00 or with 8 10. Of several numbers the first one is taken.
    """
    first = re.split("[,;]", written.strip().lstrip(",;"), maxsplit=1)[0]
    text = _CALLED.sub("", _SEPARATORS.sub("", first), count=1)
    if not _PHONE.fullmatch(text) or _TOO_SHORT.fullmatch(text):
        return None
    digits = text.removeprefix("+")
    if text.startswith("+"):
        # Nobody has the code 89: it is a Russian mobile whose 8 was kept behind the plus.
        russian = len(digits) == 11 and digits.startswith("89")
    else:
        digits = _without_exit_code(digits)
        russian = len(digits) == 11 and digits.startswith("8")
        digits = f"7{digits}" if len(digits) == 10 and digits == text else digits
    digits = f"7{digits[1:]}" if russian else digits
    if digits.startswith("7") and len(digits) != _RUSSIAN_DIGITS:
        return None
    return f"+{digits}" if 10 <= len(digits) <= 15 and not digits.startswith("0") else None


def _without_exit_code(digits: str) -> str:
    """Cut the digits that lead abroad, from a number that is too long without them."""
    for code in ("810", "00"):
        if digits.startswith(code) and len(digits) - len(code) >= 10:
            return digits.removeprefix(code)
    return digits


def email(written: str) -> str | None:
    """Return the address without spaces around it and what cannot be seen; None for no address."""
    text = _COPIED.sub("", written).strip()
    return text if text.isprintable() and _EMAIL.fullmatch(text) else None


def masked(address: str) -> str:
    """Return an address that its owner recognises and nobody else can use."""
    if "@" in address:
        local, _, domain = address.rpartition("@")
        return f"{local[:1]}***@{domain}"
    return f"{address[:2]}***{address[-_SHOWN_DIGITS:]}"
