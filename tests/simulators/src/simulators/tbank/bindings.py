"""Accounts that payers bind for later charges, in their banks' apps."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from simulators.banks import nspk
from simulators.banks.bank import Bank
from simulators.control import Mistake
from simulators.tbank import model, notices
from simulators.tbank.model import Binding

NEW, PROCESSING, ACTIVE = "NEW", "PROCESSING", "ACTIVE"
REJECTED, INACTIVE = "REJECTED", "INACTIVE"
MEMBER = "100000000004"
"""This bank among the members of SBP."""
BATCH = 1_000


def begin(
    bank: Bank, description: str, expires_at: int | None, code: tuple[str, str] | None = None
) -> Binding:
    """Make a binding that waits for its payer; inside a transaction.

    `code` is the id and the payload of a payment's code that binds as well.
    """
    if code is None:
        qr_id = nspk.new_id(bank.dice, "AS10")
        code = qr_id, nspk.payload(qr_id, nspk.BINDING, None, MEMBER)
    made = Binding(
        request_key=str(UUID(int=bank.dice.getrandbits(128), version=4)),
        status=NEW,
        account_token=f"tok_sim_{bank.dice.getrandbits(64):016x}",
        bank=notices.PAYER_BANK[0],
        qr_id=code[0],
        payload=code[1],
        created_at=bank.clock.now(),
        description=description,
        expires_at=expires_at,
    )
    model.keep(bank.store, made)
    return made


def waits(bank: Bank, found: Binding) -> bool:
    """Say whether the payer can still agree."""
    over = found.expires_at is not None and found.expires_at <= bank.clock.now()
    return found.status == NEW and not over


def accept(bank: Bank, found: Binding) -> Binding:
    """Let the payer agree; raises Mistake where that cannot be. Working on it may take a while."""
    if not waits(bank, found):
        raise Mistake(f"the binding is {found.status}, or its time is over", status=409)
    with bank.store.transaction():
        seconds = bank.knobs["binding_seconds"]
        if seconds == 0:
            return _become(bank, found, ACTIVE)
        settles_at = bank.clock.now() + bank.scaled(seconds)
        working = replace(found, status=PROCESSING, settles_at=settles_at)
        model.keep(bank.store, working)
        return working


def refuse(bank: Bank, found: Binding) -> Binding:
    """Let the payer refuse, or revoke an active one; raises Mistake for one that has ended."""
    if found.status not in (NEW, PROCESSING, ACTIVE):
        raise Mistake(f"the binding is {found.status}", status=409)
    with bank.store.transaction():
        return _become(bank, found, INACTIVE if found.status == ACTIVE else REJECTED)


def agree(bank: Bank, request_key: str) -> None:
    """Activate a binding whose payment was paid; inside a transaction."""
    found = model.binding(bank.store, "request_key", request_key)
    if found is not None and found.status == NEW:
        _become(bank, found, ACTIVE)


def sweep(bank: Bank) -> None:
    """Activate what was worked on for long enough; inside a transaction."""
    due = bank.store.all(
        "SELECT request_key FROM tbank_binding WHERE settles_at <= ? ORDER BY settles_at LIMIT ?",
        *(bank.clock.now(), BATCH),
    )
    for row in due:
        found = model.binding(bank.store, "request_key", row["request_key"])
        if found is not None:
            _become(bank, found, ACTIVE)


def _become(bank: Bank, found: Binding, status: str) -> Binding:
    done = replace(found, status=status, settles_at=None)
    model.keep(bank.store, done)
    notices.told_binding(bank, done)
    return done
