"""What payers and their banks do with a payment: pay, refuse, let it run out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from simulators.banks.bank import Bank
from simulators.control import Mistake
from simulators.tbank import bindings, model, notices
from simulators.tbank.model import Payment

PAYABLE = ("NEW", "FORM_SHOWED")
REFUSED = ("REJECTED", "AUTH_FAIL")
ON_THE_WAY = ("AUTHORIZING", "AUTHORIZED", "CONFIRMING", "CONFIRM_CHECKING", "UNKNOWN")
"""Words of a payment that is neither money nor nothing yet."""
PAID, DEADLINE, WAITING = "CONFIRMED", "DEADLINE_EXPIRED", "FORM_SHOWED"
USUAL_ERROR = "99"
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an attempt comes to, at once and in the end."""

    status: str
    then: str
    code: str
    """The `ErrorCode` of a refusal."""


def outcome(bank: Bank, script: str, default: str, allowed: Sequence[str]) -> Outcome:
    """Take the next outcome of a script: a word, or `{"status", "then"?, "code"?}`.

    Raises Mistake for what is no outcome.
    """
    wanted = bank.outcome(script, default)
    told: dict[str, Any] = wanted if isinstance(wanted, dict) else {"status": wanted}
    status, then = str(told.get("status")), str(told.get("then", PAID))
    if status not in allowed or then not in (PAID, *REFUSED):
        raise Mistake(f"no such outcome: {wanted}; there are {', '.join(allowed)}")
    return Outcome(status, then, str(told.get("code", USUAL_ERROR)))


def payable(bank: Bank, found: Payment) -> bool:
    """Say whether somebody can pay it now: a refused one too, unless refusals are final."""
    words: tuple[str, ...] = PAYABLE
    if not (found.charged or bank.knobs["refusal_is_final"]):
        words += REFUSED
    if bank.knobs["pays_late"]:
        return found.status in (*words, DEADLINE)
    return found.status in words and not _late(bank, found)


def pay(bank: Bank, found: Payment) -> Payment:
    """Pay a code; the script `pay` may have it refused, or let it take its time.

    Raises Mistake for one that cannot be paid.
    """
    _must_be_payable(bank, found)
    wanted = outcome(bank, "pay", PAID, (PAID, *ON_THE_WAY, *REFUSED))
    with bank.store.transaction():
        return carry(bank, found, wanted)


def refuse(bank: Bank, found: Payment) -> Payment:
    """Let the payer's bank refuse; raises Mistake where there is nothing to refuse."""
    _must_be_payable(bank, found)
    wanted = outcome(bank, "refuse", REFUSED[0], REFUSED)
    with bank.store.transaction():
        return carry(bank, found, wanted)


def carry(bank: Bank, found: Payment, wanted: Outcome) -> Payment:
    """Let an attempt come to what it comes to; inside a transaction."""
    if wanted.status == PAID:
        return _credited(bank, found)
    if wanted.status in REFUSED:
        return end(bank, found, wanted.status, wanted.code)
    settles_at = bank.clock.now() + bank.scaled(bank.knobs["settle_seconds"])
    going = replace(found, status=wanted.status, becomes=wanted.then, error_code=wanted.code)
    going = replace(going, settles_at=settles_at)
    model.keep(bank.store, going)
    return going


def end(bank: Bank, found: Payment, status: str, code: str = USUAL_ERROR) -> Payment:
    """End a payment without money, and tell it; inside a transaction."""
    done = replace(found, status=status, error_code=code, becomes=None, settles_at=None)
    model.keep(bank.store, done)
    notices.told(bank, done)
    return done


def aged(bank: Bank, found: Payment) -> Payment:
    """Return a payment as it stands now: ended, if its time is over; inside a transaction."""
    if found.status in PAYABLE and _late(bank, found):
        return end(bank, found, DEADLINE)
    return found


def sweep(bank: Bank) -> None:
    """Let happen what is due by now; inside a transaction."""
    now = bank.clock.now()
    late = bank.store.all(
        "SELECT id FROM tbank_payment WHERE status IN ('NEW', 'FORM_SHOWED') "
        "AND expires_at <= ? ORDER BY expires_at LIMIT ?",
        *(now, BATCH),
    )
    for row in late:
        found = model.payment(bank.store, row["id"])
        if found is not None:
            aged(bank, found)
    settled = bank.store.all(
        "SELECT id FROM tbank_payment WHERE settles_at <= ? ORDER BY settles_at LIMIT ?",
        *(now, BATCH),
    )
    for row in settled:
        found = model.payment(bank.store, row["id"])
        if found is not None:
            carry(bank, found, Outcome(found.becomes or PAID, PAID, found.error_code))


def _credited(bank: Bank, found: Payment) -> Payment:
    done = replace(found, status=PAID, paid=True, error_code="0", becomes=None, settles_at=None)
    model.keep(bank.store, done)
    notices.told_paid(bank, done)
    if done.binding is not None and not done.charged and bank.knobs["pay_also_binds"]:
        bindings.agree(bank, done.binding)
    return done


def _late(bank: Bank, found: Payment) -> bool:
    return found.expires_at is not None and found.expires_at <= bank.clock.now()


def _must_be_payable(bank: Bank, found: Payment) -> None:
    if not payable(bank, found):
        raise Mistake(f"the payment is {found.status}", status=409)
