"""Accounts bound for later charges: asked for, and read without what opens them.

What is charged is the bank's `AccountToken`. It is read at the moment of a charge and kept nowhere:
our own token of a binding is its `RequestKey`, which opens nothing without the terminal's password.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import orjson

from gateway_sbp.acquirers.tbank.wire.words import (
    KEY,
    METHOD,
    Unreadable,
    link,
    matching,
    text,
)
from shared.clock import MOSCOW
from shared.gateway.method import MethodStatus, ProviderMethod

_STATUSES: Final = {
    "NEW": MethodStatus.PENDING,
    "PROCESSING": MethodStatus.PENDING,
    "PROCCESING": MethodStatus.PENDING,
    "ACTIVE": MethodStatus.ACTIVE,
    "INACTIVE": MethodStatus.INACTIVE,
    "INACITVE": MethodStatus.INACTIVE,
    "REJECTED": MethodStatus.INACTIVE,
}
"""The bank's own documents misspell two of these."""
_TITLE: Final = "СБП"
_TOKEN_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Account:
    """What an active binding is charged by."""

    token: str = field(repr=False)
    bank: str
    """The member id of the payer's bank."""


def binding(terminal: str, until: datetime) -> bytes:
    """Return what `AddAccountQr` is asked; its code can be used until a moment."""
    return orjson.dumps(
        {
            "TerminalKey": terminal,
            "Description": "Автоплатёж за услуги связи",
            "DataType": "PAYLOAD",
            "RedirectDueDate": until.astimezone(MOSCOW).isoformat(timespec="seconds"),
        }
    )


def added(said: Any) -> ProviderMethod:
    """Read the answer to `AddAccountQr`; raises Unreadable."""
    return ProviderMethod(
        token=matching(KEY, said.get("RequestKey")),
        status=MethodStatus.PENDING,
        kind=METHOD,
        title=_TITLE,
        confirmation_url=link(said),
    )


def method(key: str, said: Any) -> ProviderMethod:
    """Read how a binding stands; raises Unreadable."""
    if said.get("RequestKey") not in (None, key):
        raise Unreadable("another binding")
    status = text(said, "Status")
    if not status:
        raise Unreadable("a binding without a status")
    bank = text(said, "BankMemberName", 40)
    return ProviderMethod(
        token=key,
        status=_STATUSES.get(status.upper(), MethodStatus.PENDING),
        kind=METHOD,
        title=f"{_TITLE}, {bank}" if bank else _TITLE,
    )


def account(said: Any) -> Account:
    """Return what an active binding is charged by; raises Unreadable."""
    found, bank = said.get("AccountToken"), text(said, "BankMemberId")
    if not isinstance(found, str) or not 0 < len(found) <= _TOKEN_MAX:
        raise Unreadable("an active binding without a token")
    return Account(str(found), bank)
