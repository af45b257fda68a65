"""The checksum of what a code of SBP holds: pure.

A payload comes from its acquirer and is opaque: it is shown as it is, whatever its parts say.
Source: derived from ten links that acquirers have published.
"""

from __future__ import annotations

from typing import Final

_POLYNOMIAL: Final = 0x1021
_CRC_FIELD: Final = "&crc="


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
