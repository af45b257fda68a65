"""The ledger: what is posted where, decided once and never changed.

A posting is (debit, credit, amount > 0), so an imbalance cannot be written down. A payment is
known by its source and the source's own id: said again it changes nothing, said with another
amount it is a conflict. A correction is a further revision of the payment, which reverses what
stood and posts anew. What cannot go to a contract is held in the source's suspense account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Row

from core_billing import accounts, postings
from core_billing.accounts import Kept
from core_billing.drafts import Draft, Payment, Reference, draft, in_turn, payment_row, posting_row
from shared.db import Tx


class Outcome(StrEnum):
    """What became of a payment that was given to the ledger."""

    POSTED = "posted"
    SUSPENSE = "suspense"
    """Taken, and all or part of it is held in suspense."""
    REPEAT = "repeat"
    CONFLICT = "conflict"
    """Known with another amount: nothing was written."""


class Credit(NamedTuple):
    """The part of a payment that reached a contract, and the balance it made.

    A negative amount was taken from the contract.
    """

    number: str
    account_id: int
    amount_kopecks: int
    balance_kopecks: int
    available_kopecks: int
    """Balance, credit limit and active promise; for a repeat, with the floor of today."""
    tied: bool = False
    """Whether something follows from the change, see `consequences`."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the ledger did with a payment; for a repeat, what it had done then."""

    outcome: Outcome
    payment_id: int
    amount_kopecks: int
    posted_at: datetime
    credits: tuple[Credit, ...] = ()
    suspense_kopecks: int = 0
    suspense_reason: str | None = None

    def seen_again(self, payment: Payment) -> Receipt:
        """Return the receipt for saying the same payment again, with its amount or another."""
        same = payment.amount_kopecks == self.amount_kopecks
        return replace(self, outcome=Outcome.REPEAT if same else Outcome.CONFLICT)


async def post(tx: Tx, payments: Sequence[Payment], at: datetime) -> list[Receipt]:
    """Write the payments that are not known yet, many in a few statements.

    Returns one receipt for each, in order. Never refuses money: what does not fit a contract is
    held in suspense. The contracts stay locked until the transaction ends.
    """
    first: dict[Reference, int] = {}
    for place, payment in enumerate(payments):
        first.setdefault(payment.reference, place)
    new = [payments[place] for place in first.values()]
    # The contracts last: from then on others wait for us.
    sources = await accounts.sources(tx, {payment.source for payment in new})
    kept = await accounts.lock(
        tx, {accounts.of_contract(number) for payment in new for number, _ in payment.allocations}
    )
    drafts = in_turn([draft(payment, sources[payment.source], kept) for payment in new])
    written = await write(tx, drafts, kept, at)
    fresh = {first[reference] for reference in written}
    receipts = written | await find(tx, first.keys() - written.keys())
    return [
        receipts[p.reference] if place in fresh else receipts[p.reference].seen_again(p)
        for place, p in enumerate(payments)
    ]


async def write(
    tx: Tx, drafts: Sequence[Draft], kept: Mapping[str, Kept], at: datetime
) -> dict[Reference, Receipt]:
    """Write the drafts whose revision is not known yet; return the receipts of those.

    `kept` is what locking the accounts of all parts has returned.
    """
    ids = await postings.insert_payments(tx, [payment_row(one, at) for one in drafts])
    balances = {name: account.kopecks for name, account in kept.items()}
    rows: list[dict[str, Any]] = []
    receipts: dict[Reference, Receipt] = {}
    known = {(d.source.id, d.payment.external_id): d for d in drafts}
    # In the order of the ids, so that each balance in the history follows from the one before.
    for key, payment_id in sorted(ids.items(), key=lambda item: item[1]):
        made = [posting_row(payment_id, known[key], p, kept, balances) for p in known[key].parts]
        receipts[known[key].payment.reference] = _receipt(payment_id, known[key], made, kept, at)
        rows += made
    moved = {name: kopecks - kept[name].kopecks for name, kopecks in balances.items()}
    deltas = {kept[name].account_id: kopecks for name, kopecks in moved.items() if kopecks}
    await postings.insert_postings(tx, rows, deltas)
    return receipts


async def find(tx: Tx, references: Collection[Reference]) -> dict[Reference, Receipt]:
    """Return what was done with the known ones of these payments when they first came.

    Their receipts are those of a repeat.
    """
    if not references:
        return {}
    lines: dict[Reference, list[Row[Any]]] = {}
    for row in await postings.lines_of(tx, {external_id for _, external_id in references}):
        if row.revision == 1 and (row.source, row.external_id) in references:
            lines.setdefault((row.source, row.external_id), []).append(row)
    return {reference: _receipt_of(rows) for reference, rows in lines.items()}


def _receipt(
    payment_id: int,
    draft: Draft,
    rows: Sequence[Mapping[str, Any]],
    kept: Mapping[str, Kept],
    at: datetime,
) -> Receipt:
    credited = tuple(
        _credit(
            p.account,
            kept[p.account],
            p.kopecks,
            row["debit_balance"] if p.kopecks < 0 else row["credit_balance"],
        )
        for p, row in zip(draft.parts, rows, strict=True)
        if p.line > 0 and p.account is not None
    )
    held = sum(part.kopecks for part in draft.parts if part.line > 0 and part.account is None)
    outcome = Outcome.POSTED if draft.suspense_reason is None else Outcome.SUSPENSE
    amount = draft.payment.amount_kopecks
    posted_at, reason = at - draft.ahead, draft.suspense_reason
    return Receipt(outcome, payment_id, amount, posted_at, credited, held, reason)


def _credit(name: str, kept: Kept, kopecks: int, balance: int) -> Credit:
    available = balance + kept.floor_kopecks
    number = accounts.number_of(name)
    return Credit(number, kept.account_id, kopecks, balance, available, kept.tied)


def _receipt_of(rows: Sequence[Row[Any]]) -> Receipt:
    one = rows[0]
    credited = tuple(_credit_of(row) for row in rows if _kept_balance(row) is not None)
    held = sum(row.kopecks for row in rows if row.credit_id == row.suspense_id)
    taken = sum(row.kopecks for row in rows if row.debit_id == row.suspense_id)
    return Receipt(
        *(Outcome.REPEAT, one.id, one.amount_kopecks, one.registered_at),
        *(credited, held - taken, one.suspense_reason),
    )


def _kept_balance(row: Row[Any]) -> int | None:
    """Return the balance that a posting has left on its contract, if it touches one."""
    balance: int | None = row.credit_balance if row.debit_balance is None else row.debit_balance
    return balance


def _credit_of(row: Row[Any]) -> Credit:
    balance = _kept_balance(row) or 0
    available = balance + row.floor
    if row.debit_balance is None:
        number = accounts.number_of(row.credit)
        return Credit(number, row.credit_id, row.kopecks, balance, available)
    number = accounts.number_of(row.debit)
    return Credit(number, row.debit_id, -row.kopecks, balance, available)
