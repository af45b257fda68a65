"""PDUs as the provider's side reads and writes them (SMPP 3.4, chapters 4 and 5)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

BIND_TRANSCEIVER = 0x09
SUBMIT_SM = 0x04
DELIVER_SM = 0x05
UNBIND = 0x06
ENQUIRE_LINK = 0x15
GENERIC_NACK = 0x80000000
RESPONSE = 0x80000000

OK = 0x00
RINVCMDID = 0x03
RINVBNDSTS = 0x04
RINVDSTADR = 0x0B
RINVPASWD = 0x0E
RINVSYSID = 0x0F

SAR_REFERENCE, SAR_TOTAL, SAR_NUMBER = 0x020C, 0x020E, 0x020F
PAYLOAD = 0x0424
RECEIPTED_ID, STATE = 0x001E, 0x0427

GSM_ROWS = (
    "@£$¥èéùìòÇ\nØø\rÅå", "Δ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ", " !\"#¤%&'()*+,-./", "0123456789:;<=>?",
    "¡ABCDEFGHIJKLMNO", "PQRSTUVWXYZÄÖÑÜ§", "¿abcdefghijklmno", "pqrstuvwxyzäöñüà",
)  # fmt: skip
GSM_ESCAPED = {
    10: "\f", 20: "^", 40: "{", 41: "}", 47: "\\", 60: "[", 61: "~", 62: "]", 64: "|", 101: "€",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Short:
    """A submit_sm, taken apart."""

    source: str
    destination: str
    destination_kind: tuple[int, int]
    esm_class: int
    receipt: bool
    coding: int
    octets: bytes
    options: dict[int, bytes]


class Fields:
    """Reads a body from its beginning to its end."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0

    def text(self) -> str:
        """A C-octet string."""
        end = self.body.index(0, self.at)
        value, self.at = self.body[self.at : end].decode("ascii"), end + 1
        return value

    def number(self) -> int:
        """One octet."""
        self.at += 1
        return self.body[self.at - 1]

    def octets(self, size: int) -> bytes:
        """So many octets."""
        self.at += size
        return self.body[self.at - size : self.at]

    def options(self) -> dict[int, bytes]:
        """All that follow."""
        found = {}
        while self.at < len(self.body):
            tag, size = struct.unpack(">HH", self.octets(4))
            found[tag] = self.octets(size)
        return found


def pack(command: int, status: int, sequence: int, body: bytes = b"") -> bytes:
    """Return a PDU."""
    return struct.pack(">4I", 16 + len(body), command, status, sequence) + body


def short(body: bytes) -> Short:
    """Read the body of a submit_sm."""
    fields = Fields(body)
    fields.text()  # service_type
    fields.octets(2)
    source = fields.text()
    kind = (fields.number(), fields.number())
    destination = fields.text()
    esm_class = fields.number()
    fields.octets(2)
    fields.text()
    fields.text()
    receipt = bool(fields.number() & 1)
    fields.number()
    coding = fields.number()
    fields.number()
    octets = fields.octets(fields.number())
    return Short(source, destination, kind, esm_class, receipt, coding, octets, fields.options())


def deliver(source: str, destination: str, text: bytes, esm_class: int, tail: bytes = b"") -> bytes:
    """Return the body of a deliver_sm."""
    return b"".join(
        (
            b"\0\x01\x01",
            source.encode() + b"\0",
            b"\x05\x00",
            destination.encode() + b"\0",
            bytes((esm_class, 0, 0)),
            b"\0\0",
            bytes((0, 0, 0, 0, len(text))),
            text,
            tail,
        )
    )


def option(tag: int, value: bytes) -> bytes:
    """Return an optional parameter."""
    return struct.pack(">HH", tag, len(value)) + value


def readable(octets: bytes, coding: int) -> str:
    """Return the text that a phone would show."""
    if coding == 8:
        return octets.decode("utf-16-be")
    shown, escaped = [], False
    for septet in octets:
        if escaped:
            shown.append(GSM_ESCAPED.get(septet, " "))
        elif septet != 0x1B:
            shown.append(GSM_ROWS[septet // 16][septet % 16])
        escaped = septet == 0x1B and not escaped
    return "".join(shown)
