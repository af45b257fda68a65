"""The units of SMPP 3.4 that an ESME which only sends has to speak. Pure: bytes in, values out.

Source: "Short Message Peer to Peer Protocol Specification v3.4", issue 1.2: 3.2 (layout of a PDU),
4.1-4.11 (the PDUs), 5.1.2.1 (command ids), 5.1.3 (command status), 5.3.2 (optional parameters).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

PDU_MAX: Final = 64 * 1024
"""Octets of the longest PDU that is read; receipts are far shorter."""
HEADER: Final = struct.Struct(">IIII")
SEQUENCE_MAX: Final = 0x7FFFFFFF
VERSION: Final = 0x34

GENERIC_NACK: Final = 0x80000000
SUBMIT_SM: Final = 0x00000004
DELIVER_SM: Final = 0x00000005
UNBIND: Final = 0x00000006
BIND_TRANSCEIVER: Final = 0x00000009
ENQUIRE_LINK: Final = 0x00000015
ANSWER: Final = 0x80000000
"""The bit that makes an answer of a question's command id."""

OK: Final = 0x00
INVALID_COMMAND: Final = 0x03
QUEUE_FULL: Final = 0x14
REJECTED_FOR_NOW: Final = 0x64
"""ESME_RX_T_APPN: the receiver could not take it now and wants it again."""

RECEIPTED_MESSAGE_ID: Final = 0x001E
MESSAGE_PAYLOAD: Final = 0x0424
MESSAGE_STATE: Final = 0x0427
SAR_REFERENCE: Final = 0x020C
SAR_TOTAL: Final = 0x020E
SAR_NUMBER: Final = 0x020F
HAS_HEADER: Final = 0x40
"""esm_class: the text begins with a user data header."""
RECEIPT: Final = 0x04
_MESSAGE_TYPE: Final = 0x3C


class Malformed(ValueError):
    """What was read is no PDU: the connection cannot be trusted any more."""


@dataclass(frozen=True, slots=True)
class Pdu:
    """One unit, its body not yet read."""

    command: int
    status: int
    sequence: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Bind:
    """Who we are."""

    system_id: str
    password: str = field(repr=False)
    system_type: str = ""


@dataclass(frozen=True, slots=True)
class Address:
    """A number or a name, with the kinds that SMPP gives it (5.2.5, 5.2.6)."""

    ton: int
    npi: int
    text: str


@dataclass(frozen=True, slots=True)
class Submit:
    """One part of a message on its way."""

    source: Address
    destination: Address
    text: bytes = field(repr=False)
    coding: int
    esm_class: int = 0
    receipt: bool = True
    options: Mapping[int, bytes] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a deliver_sm brings: a receipt, or a message of a subscriber."""

    receipt: bool
    source: str
    text: bytes = field(repr=False)
    options: Mapping[int, bytes] = field(default_factory=dict, repr=False)


def encode(pdu: Pdu) -> bytes:
    """Return the octets of a PDU."""
    size = HEADER.size + len(pdu.body)
    return HEADER.pack(size, pdu.command, pdu.status, pdu.sequence) + pdu.body


def body_size(header: bytes) -> int:
    """Return how many octets follow a header; raises Malformed for a length that cannot be."""
    size = int(HEADER.unpack(header)[0])
    if not HEADER.size <= size <= PDU_MAX:
        raise Malformed(f"a PDU of {size} octets")
    return size - HEADER.size


def decode(header: bytes, body: bytes) -> Pdu:
    """Return the PDU of a header and its body."""
    _, command, status, sequence = HEADER.unpack(header)
    return Pdu(command, status, sequence, body)


def bind(who: Bind) -> bytes:
    """Return the body of bind_transceiver; raises ValueError for what does not fit (4.1.5)."""
    return b"".join(
        (
            _text(who.system_id, 15),
            _text(who.password, 64),  # 8 by the book, but providers give longer ones
            _text(who.system_type, 12),
            bytes((VERSION, 0, 0)),
            b"\0",  # address_range: we are not asked for by number
        )
    )


def submit(given: Submit) -> bytes:
    """Return the body of submit_sm (4.4.1); raises ValueError for what does not fit."""
    if len(given.text) > 254:
        raise ValueError("a short_message has at most 254 octets")
    return b"".join(
        (
            b"\0",  # service_type: the default one
            _address(given.source),
            _address(given.destination),
            bytes((given.esm_class, 0, 0)),
            b"\0\0",  # at once, and valid for as long as the provider likes
            bytes((int(given.receipt), 0, given.coding, 0, len(given.text))),
            given.text,
            *(struct.pack(">HH", tag, len(v)) + v for tag, v in sorted(given.options.items())),
        )
    )


def message_id(body: bytes) -> str:
    """Return the id in the body of a submit_sm_resp; raises Malformed where there is none."""
    text, _ = _taken(body, 0, 65)
    if not text:
        raise Malformed("a submit_sm_resp without an id")
    return text


def delivered(body: bytes) -> Delivered:
    """Read the body of a deliver_sm (4.6.1); raises Malformed."""
    try:
        _, at = _taken(body, 0, 6)
        source, at = _taken(body, at + 2, 21)
        _, at = _taken(body, at + 2, 21)
        esm_class = body[at]
        _, at = _taken(body, at + 3, 17)
        _, at = _taken(body, at, 17)
        size = body[at + 4]
        at += 5
    except IndexError:
        raise Malformed("a deliver_sm that ends too soon") from None
    if at + size > len(body):
        raise Malformed("a deliver_sm that ends within its text")
    options = _options(body, at + size)
    text = body[at : at + size] or options.get(MESSAGE_PAYLOAD, b"")
    return Delivered(bool(esm_class & _MESSAGE_TYPE & RECEIPT), source, text, options)


def _options(body: bytes, at: int) -> dict[int, bytes]:
    options = {}
    while at < len(body):
        if at + 4 > len(body):
            raise Malformed("an optional parameter that ends too soon")
        tag, size = struct.unpack_from(">HH", body, at)
        if at + 4 + size > len(body):
            raise Malformed("an optional parameter that ends too soon")
        options[tag] = body[at + 4 : at + 4 + size]
        at += 4 + size
    return options


def _address(given: Address) -> bytes:
    return bytes((given.ton, given.npi)) + _text(given.text, 20)


def _text(text: str, longest: int) -> bytes:
    encoded = text.encode("ascii")
    if len(encoded) > longest or 0 in encoded:
        raise ValueError(f"expected at most {longest} Latin characters")
    return encoded + b"\0"


def _taken(body: bytes, at: int, longest: int) -> tuple[str, int]:
    """Return a text that ends in a zero octet, and where the next field begins."""
    end = body.find(b"\0", at, at + longest)
    if end < 0:
        raise Malformed("a text without its end")
    return body[at:end].decode("latin-1"), end + 1
