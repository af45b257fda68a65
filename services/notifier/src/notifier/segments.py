"""How many parts an SMS takes, and what it costs. Pure.

Source: 3GPP TS 23.038, 6.2.1 (the default alphabet and its extension table, whose characters take
two places) and TS 23.040, 9.2.3.24.1 (a header of six octets joins the parts of a long message).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Encoding = Literal["GSM-7", "UCS-2"]

DEFAULT: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""Each takes an escape before it; the two are never cut apart."""
_ROOM: Final[dict[Encoding, tuple[int, int]]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}


@dataclass(frozen=True, slots=True)
class Size:
    """How large a text is as an SMS."""

    encoding: Encoding
    units: int
    """Septets of GSM-7, or UTF-16 code units of UCS-2."""
    segments: int

    def price_kopecks(self, per_segment_kopecks: int) -> int:
        """Return what it costs at a price per part."""
        return self.segments * per_segment_kopecks


def size(text: str) -> Size:
    """Return the encoding a text needs, its length there, and the number of its parts.

    No part ends between an escape and its character, nor between two surrogates.
    """
    if set(text) <= DEFAULT | EXTENDED:
        encoding: Encoding = "GSM-7"
        widths = [2 if char in EXTENDED else 1 for char in text]
    else:
        encoding = "UCS-2"
        widths = [2 if ord(char) > 0xFFFF else 1 for char in text]
    whole, part = _ROOM[encoding]
    units = sum(widths)
    return Size(encoding, units, 1 if units <= whole else _parts(widths, part))


def _parts(widths: list[int], room: int) -> int:
    parts, filled = 1, 0
    for width in widths:
        if filled + width > room:
            parts, filled = parts + 1, 0
        filled += width
    return parts
