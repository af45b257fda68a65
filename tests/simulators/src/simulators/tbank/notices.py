"""Notifications: what the bank tells of payments and bindings. Source: its page "Notifications"."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from simulators.banks.bank import Bank, Told
from simulators.record import dumps
from simulators.tbank.model import Binding, Payment
from simulators.tbank.words import token

JSON = {"Content-Type": "application/json"}
PAYER_BANK = ("100000000111", "Сбербанк")
FAILED = ("REJECTED", "AUTH_FAIL", "DEADLINE_EXPIRED")


def told_paid(bank: Bank, found: Payment) -> None:
    """Tell of the money as a terminal of one stage does: twice at once, in whatever order."""
    steps = ["AUTHORIZED", "CONFIRMED"] if bank.knobs["authorized_too"] else ["CONFIRMED"]
    bank.dice.shuffle(steps)
    for status in steps:
        told(bank, replace(found, status=status))


def told(bank: Bank, found: Payment) -> None:
    """Tell how a payment stands, at the address of its `Init` or at the terminal's."""
    failed = found.status in FAILED
    body: dict[str, Any] = {
        "TerminalKey": bank.knobs["terminal"],
        "OrderId": found.order_id,
        "Success": not failed,
        "Status": found.status,
        "PaymentId": found.id,
        "ErrorCode": found.error_code if failed else "0",
        "Amount": shown(bank, found),
        "Data": {"Source": "sbpqr"},
    }
    url = found.asked.get("NotificationURL")
    bank.announce(Told(str(found.id), _signed(bank, body), JSON, url))


def told_binding(bank: Bank, found: Binding) -> None:
    """Tell how a binding stands: always at the terminal's own address."""
    active = found.status == "ACTIVE"
    body: dict[str, Any] = {
        "TerminalKey": bank.knobs["terminal"],
        "RequestKey": found.request_key,
        "Success": active,
        "Status": found.status,
        "ErrorCode": "0",
        "NotificationType": bank.knobs["binding_type"],
    }
    if active:
        member, name = PAYER_BANK
        body |= {"AccountToken": found.account_token}
        body |= {"BankMemberId": member, "BankMemberName": name}
    bank.announce(Told(found.request_key, _signed(bank, body), JSON))


def shown(bank: Bank, found: Payment) -> int:
    """Return the amount that the bank shows: what is left, or by a knob what was paid."""
    back = found.returned_kopecks if bank.knobs["shows_the_rest"] else 0
    return found.amount_kopecks - back if found.status != "REFUNDED" else found.amount_kopecks


def _signed(bank: Bank, body: dict[str, Any]) -> str:
    if bank.knobs["success_as_text"]:
        body["Success"] = "true" if body["Success"] else "false"
    if bank.knobs["unknown_fields"]:
        # The Token is over every scalar of the root, those of tomorrow as well.
        body |= {"CardAcquirerBin": "220220", "SpecialOffer": False, "Nothing": None}
    return dumps({**body, "Token": token(body, bank.knobs["password"])})
