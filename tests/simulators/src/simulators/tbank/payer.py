"""What payers do in their banks' apps, how refunds come to their end, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import orjson

from simulators.banks.bank import Bank, Told
from simulators.control import Mistake
from simulators.record import dumps
from simulators.tbank import model
from simulators.tbank.model import Binding, Payment
from simulators.tbank.words import token

PAYABLE = ("NEW", "FORM_SHOWED")
PAYER_BANK = ("100000000111", "Сбербанк")
DEADLINE, REJECTED = "DEADLINE_EXPIRED", "REJECTED"
JSON = {"Content-Type": "application/json"}


def pay(bank: Bank, found: Payment) -> Payment:
    """Pay a code, with its two notifications at once; raises Mistake for one not payable."""
    if found.status not in PAYABLE:
        raise Mistake(f"the payment is {found.status}", status=409)
    done = replace(found, status="CONFIRMED", paid=True)
    with bank.store.transaction():
        model.keep(bank.store, done)
        steps: Iterable[str] = ("AUTHORIZED", "CONFIRMED")
        if bank.dice.random() < 0.5:
            steps = ("CONFIRMED", "AUTHORIZED")
        for status in steps if bank.knobs["authorized_too"] else ("CONFIRMED",):
            bank.announce(notice(bank, replace(done, status=status)))
    return done


def end(bank: Bank, found: Payment, status: str) -> Payment:
    """End a payment without money, and tell it."""
    done = replace(found, status=status)
    with bank.store.transaction():
        model.keep(bank.store, done)
        bank.announce(notice(bank, done))
    return done


def refuse(bank: Bank, found: Payment) -> Payment:
    """Let the payer's bank refuse: by the knob it ends the payment, or it can be tried again."""
    if found.status not in PAYABLE:
        raise Mistake(f"the payment is {found.status}", status=409)
    return end(bank, found, REJECTED) if bank.knobs["refusal_is_final"] else found


def send_back(bank: Bank, found: Payment, kopecks: int, external: str | None) -> Payment:
    """Begin a refund; inside a transaction. Nothing here knows a repeat: that is the trap."""
    outcome = bank.outcome("refund", "done")
    done_at = bank.clock.now() + bank.scaled(bank.knobs["refund_seconds"])
    bank.store.run(
        "INSERT INTO tbank_refund (payment_id, amount_kopecks, external_id, done_at, state, code) "
        "VALUES (?, ?, ?, ?, 'going', ?)",
        *(found.id, kopecks, external, done_at, None if outcome == "done" else str(outcome)),
    )
    going = replace(found, status="ASYNC_REFUNDING", cancel_code=None)
    model.keep(bank.store, going)
    if bank.knobs["refund_seconds"] == 0:
        finish_refunds(bank)
        return model.payment(bank.store, found.id) or going
    return going


def finish_refunds(bank: Bank) -> None:
    """Bring the refunds to their end whose time has come; inside a transaction."""
    due = bank.store.all(
        "SELECT * FROM tbank_refund WHERE state = 'going' AND done_at <= ? LIMIT 1000",
        bank.clock.now(),
    )
    for row in due:
        found = model.payment(bank.store, row["payment_id"])
        if found is None:
            continue
        state = "done" if row["code"] is None else "failed"
        bank.store.run("UPDATE tbank_refund SET state = ? WHERE id = ?", state, row["id"])
        back = found.returned_kopecks + (row["amount_kopecks"] if state == "done" else 0)
        status = "REFUNDED" if back >= found.amount_kopecks else "PARTIAL_REFUNDED"
        after = replace(
            found,
            returned_kopecks=back,
            status="CONFIRMED" if back == 0 else status,
            cancel_code=row["code"],
        )
        model.keep(bank.store, after)
        if state == "done":
            bank.announce(notice(bank, after))


def decide(bank: Bank, found: Binding, status: str) -> Binding:
    """Accept, reject or revoke a binding, and tell it to the terminal's own address."""
    done = replace(found, status=status)
    body: dict[str, Any] = {
        "TerminalKey": bank.knobs["terminal"],
        "RequestKey": done.request_key,
        "Success": status == "ACTIVE",
        "Status": status,
        "ErrorCode": "0",
        "NotificationType": "LINKACCOUNT",
    }
    if status == "ACTIVE":
        body |= {
            "AccountToken": done.account_token,
            "BankMemberId": PAYER_BANK[0],
            "BankMemberName": PAYER_BANK[1],
        }
    with bank.store.transaction():
        model.keep(bank.store, done)
        body["Token"] = token(body, bank.knobs["password"])
        bank.announce(Told(done.request_key, dumps(body), JSON))
    return done


def notice(bank: Bank, found: Payment) -> Told:
    """Write the notification of a payment as it stands, as the knobs have it."""
    knobs = bank.knobs
    success = found.status not in ("REJECTED", "AUTH_FAIL", "DEADLINE_EXPIRED")
    body: dict[str, Any] = {
        "TerminalKey": knobs["terminal"],
        "OrderId": found.order_id,
        "Success": ("true" if success else "false") if knobs["success_as_text"] else success,
        "Status": found.status,
        "PaymentId": found.id,
        "ErrorCode": "0" if success else "99",
        "Amount": shown(bank, found),
        "Data": {"Source": "sbpqr"},
    }
    if knobs["unknown_fields"]:
        body["CardAcquirerBin"] = "220220"
    body["Token"] = token(body, knobs["password"])
    url = found.asked.get("NotificationURL")
    return Told(str(found.id), orjson.dumps(body).decode(), JSON, url)


def shown(bank: Bank, found: Payment) -> int:
    """Return the amount that the bank shows: what is left, or by a knob what was paid."""
    back = found.returned_kopecks if bank.knobs["shows_the_rest"] else 0
    return found.amount_kopecks - back if found.status != "REFUNDED" else found.amount_kopecks
