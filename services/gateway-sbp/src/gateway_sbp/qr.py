"""What a code of SBP holds, and how it opens a bank's app: pure.

A payload comes from its acquirer and is opaque: it is shown as it is, whatever its parts say.
Source: NSPK's links as acquirers publish them; the checksum is derived from ten such links.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

_POLYNOMIAL: Final = 0x1021
_CRC_FIELD: Final = "&crc="
_HOSTS: Final = frozenset({"qr.nspk.ru", "sub.nspk.ru"})


@dataclass(frozen=True, slots=True)
class Bank:
    """A bank whose app can be opened from a page."""

    name: str
    scheme: str


BANKS: Final = (
    Bank("Сбербанк", "bank100000000111"),
    Bank("Т-Банк", "bank100000000004"),
    Bank("ВТБ", "bank110000000005"),
    Bank("Альфа-Банк", "bank100000000008"),
    Bank("Райффайзен Банк", "bank100000000007"),
)
"""The members whose ids are known; every other bank is found behind the payload's own address."""


def crc(text: str) -> str:
    """Return the checksum of a payload without its `&crc=`: four hexadecimal digits.

    CRC-16/CCITT-FALSE over the bytes from `https://` on.
    """
    value = 0xFFFF
    for byte in text.encode("ascii"):
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1) ^ _POLYNOMIAL if value & 0x8000 else value << 1
        value &= 0xFFFF
    return f"{value:04X}"


def sealed(text: str) -> str:
    """Return a payload with its checksum."""
    return f"{text}{_CRC_FIELD}{crc(text)}"


def whole(payload: str) -> bool | None:
    """Say whether a payload agrees with its checksum; None for one that has none.

    Nothing is refused for it: real links with a wrong one have been seen.
    """
    text, found, said = payload.rpartition(_CRC_FIELD)
    return None if not found else crc(text) == said.upper()


def deeplink(payload: str, bank: Bank) -> str | None:
    """Return the address that opens a bank's app; None for a payload that is not NSPK's."""
    parts = urlsplit(payload)
    if parts.scheme != "https" or parts.hostname not in _HOSTS:
        return None
    return bank.scheme + payload.removeprefix("https")
