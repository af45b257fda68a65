"""How a text becomes the octets of short messages: alphabets, and parts of a long one. Pure.

Sources: 3GPP TS 23.038, 6.2.1 (the default alphabet and its extension table) and 6.2.3 (UCS2); TS
23.040, 9.2.3.24.1 and .8 (concatenated messages with references of 8 and 16 bits). SMPP 3.4, 5.2.19
gives data coding 0 to the provider's default alphabet and 8 to UCS2.

A part holds 140 octets: 160 septets of the default alphabet or 70 UTF-16 units. The header of a
part takes 7 septets or 3 units of them. Septets travel unpacked, one in an octet, as SMPP has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

GSM: Final = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION: Final = {
    "\f": 0x0A, "^": 0x14, "{": 0x28, "}": 0x29, "\\": 0x2F,
    "[": 0x3C, "~": 0x3D, "]": 0x3E, "|": 0x40, "€": 0x65,
}  # fmt: skip
DEFAULT: Final = 0
UCS2: Final = 8
PARTS_MAX: Final = 255
_ESCAPE: Final = 0x1B
_SINGLE: Final = {DEFAULT: 160, UCS2: 140}
_OF_MANY: Final = {DEFAULT: 153, UCS2: 134}
_SEPTETS: Final = {
    **{char: bytes([code]) for code, char in enumerate(GSM) if code != _ESCAPE},
    **{char: bytes([_ESCAPE, code]) for char, code in EXTENSION.items()},
}


@dataclass(frozen=True, slots=True)
class Written:
    """A text in one alphabet, cut into the parts that it takes."""

    coding: int
    parts: tuple[bytes, ...]

    @property
    def whole(self) -> bytes:
        """The octets of the text without a cut."""
        return b"".join(self.parts)


def written(text: str) -> Written:
    """Return the text in the default alphabet where that has all of it, else in UCS2.

    Raises ValueError for a text of more than 255 parts.
    """
    septets = [_SEPTETS.get(char) for char in text]
    known = [each for each in septets if each is not None]
    if len(known) == len(septets):
        coding, units = DEFAULT, known
    else:
        # A pair of surrogates is one character and stays in one part.
        coding = UCS2
        units = [char.encode("utf-16-be", "replace") for char in text]
    parts = _cut(units, coding)
    if len(parts) > PARTS_MAX:
        raise ValueError(f"a text of {len(parts)} parts")
    return Written(coding, parts)


def headed(parts: Sequence[bytes], reference: int) -> list[bytes]:
    """Return the parts of a long message, each behind its user data header.

    The reference has 8 bits: the form that takes the fewest octets and that every phone reads.
    """
    total = len(parts)
    return [
        bytes((0x05, 0x00, 0x03, reference & 0xFF, total, number)) + part
        for number, part in enumerate(parts, 1)
    ]


def _cut(units: Sequence[bytes], coding: int) -> tuple[bytes, ...]:
    whole = b"".join(units)
    if len(whole) <= _SINGLE[coding]:
        return (whole,)
    parts, part = [], bytearray()
    for unit in units:
        if len(part) + len(unit) > _OF_MANY[coding]:
            parts.append(bytes(part))
            part.clear()
        part += unit
    return (*parts, bytes(part))
