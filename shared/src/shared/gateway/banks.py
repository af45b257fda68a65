"""How a code of SBP opens a bank's app on a telephone: pure.

Source: NSPK's list of members and the links that payment pages publish. A payload is opaque: only
whether it is NSPK's address is looked at.
"""

from __future__ import annotations

from typing import Final, NamedTuple
from urllib.parse import urlsplit

_HOSTS: Final = frozenset({"qr.nspk.ru", "sub.nspk.ru"})


class Bank(NamedTuple):
    """A bank whose app can be opened from a page."""

    name: str
    scheme: str


class Shortcut(NamedTuple):
    """A bank and the address that opens a code in its app."""

    name: str
    address: str


BANKS: Final = (
    Bank("Сбербанк", "bank100000000111"),
    Bank("Т-Банк", "bank100000000004"),
    Bank("ВТБ", "bank110000000005"),
    Bank("Альфа-Банк", "bank100000000008"),
    Bank("Райффайзен Банк", "bank100000000007"),
)
"""The members whose ids are known; every other bank is found behind the payload's own address."""


def shortcuts(payload: str) -> tuple[Shortcut, ...]:
    """Return the ways into the banks' apps; none for a payload that is not NSPK's."""
    try:
        parts = urlsplit(payload)
    except ValueError:
        return ()
    if parts.scheme != "https" or parts.hostname not in _HOSTS:
        return ()
    rest = payload.removeprefix("https")
    return tuple(Shortcut(bank.name, bank.scheme + rest) for bank in BANKS)
