"""Codes of SBP as NSPK makes them: ids and payloads with their checksum.

No published text tells the checksum. It was derived from real links: CRC-16/CCITT-FALSE over the
address from `https://` up to `&crc=`, four upper hexadecimal digits.
"""

from __future__ import annotations

from random import Random

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BANK = "100000000007"
ONCE, MANY, BINDING = "02", "01", "03"
"""A code for one payment, a sticker, a consent to later charges."""


def crc(text: str) -> str:
    """Return the checksum of an address without its `&crc=`."""
    value = 0xFFFF
    for byte in text.encode("ascii"):
        value ^= byte << 8
        for _ in range(8):
            carried = value & 0x8000
            value = (value << 1) & 0xFFFF
            if carried:
                value ^= 0x1021
    return f"{value:04X}"


def new_id(dice: Random, prefix: str) -> str:
    """Return an id of 32 characters: `AD` for one payment, `AS` for many and for bindings."""
    return prefix + "".join(dice.choices(ALPHABET, k=32 - len(prefix)))


def payload(qr_id: str, kind: str, kopecks: int | None = None, bank: str = BANK) -> str:
    """Return what a code holds."""
    host = "sub.nspk.ru" if kind == BINDING else "qr.nspk.ru"
    text = f"https://{host}/{qr_id}?type={kind}&bank={bank}"
    if kopecks is not None:
        text += f"&sum={kopecks}&cur=RUB"
    return f"{text}&crc={crc(text)}"


def id_of(address: str) -> str:
    """Return the id in a payload; an id alone is returned as it is."""
    return address.partition("?")[0].rstrip("/").rpartition("/")[2]
