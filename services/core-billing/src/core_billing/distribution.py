"""Main and subordinate contracts: what a main contract collects goes on to those below it.

A payment onto a main contract fills the subordinates that are below zero, by their priority, each
up to zero and the last one in part; what is left stays on the main contract. A debt that arises
while the main contract has money waits for its next payment: nothing moves without one.

What one payment hands on is one operation, `distribution` with the id of the payment's revision:
so it happens once, and is found again when the payment is corrected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from core_billing import accounts, corrections, ledger, policy_rows, terms
from core_billing.accounts import Kept
from core_billing.changes import Change
from core_billing.drafts import Draft, Part, Payment, Reference
from core_billing.ledger import Receipt
from core_billing.policies import DISTRIBUTE
from core_billing.rules import Rules
from shared.db import Tx


def shares(kopecks: int, debts: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Fill debts in their order, each up to zero, until the money is used up; pure.

    Each debt is the name of an account and its kopecks above zero; other numbers are no debt.
    """
    given: dict[str, int] = {}
    for name, debt in debts:
        share = min(kopecks, debt)
        if share > 0:
            given[name] = share
            kopecks -= share
    return given


async def spread(tx: Tx, rules: Rules, changes: Sequence[Change], at: datetime) -> list[Change]:
    """Hand money on from main contracts; return the changes of those that got some.

    Looks at the changes that came from outside, each of a locked contract.
    """
    paid = [change for change in changes if change.paid_kopecks > 0 and change.payment_id]
    below = await terms.indebted(tx, {change.account_id for change in paid})
    paid = [change for change in paid if change.account_id in below]
    if not paid or not (await policy_rows.load(tx, rules.day(at))).get(DISTRIBUTE):
        return []
    names = {accounts.of_contract(change.number) for change in paid}
    names.update(name for debtors in below.values() for name in debtors)
    kept = await accounts.lock(tx, names)
    plans = _plans(paid, below, kept)
    source = (await accounts.sources(tx, [accounts.DISTRIBUTION]))[accounts.DISTRIBUTION]
    drafts = [
        Draft(Payment(*reference(payment_id), 0, (), at), source, 1, _parts(moves), None)
        for payment_id, moves in plans.items()
    ]
    written = await ledger.write(tx, drafts, kept, at)
    causes = {reference(change.payment_id): change for change in paid}
    return [c for key, receipt in written.items() for c in _gained(causes[key], receipt)]


async def withdraw(tx: Tx, payment_id: int, at: datetime) -> dict[str, Kept]:
    """Take back what a revision of a payment has handed on; return whom it touched, as they were.

    The payment must be locked: see `holdings.lock`.
    """
    return await corrections.withdraw(tx, reference(payment_id), at)


def reference(payment_id: int | None) -> Reference:
    """Return what names the operation by which a revision of a payment was handed on."""
    return accounts.DISTRIBUTION, str(payment_id)


def _plans(
    paid: Sequence[Change], below: Mapping[int, Sequence[str]], kept: Mapping[str, Kept]
) -> dict[int | None, list[tuple[str, int]]]:
    """Return what each payment moves: takings from mains and gifts to subordinates, in order."""
    balances = {name: one.kopecks for name, one in kept.items()}
    plans: dict[int | None, list[tuple[str, int]]] = {}
    for change in paid:
        main = accounts.of_contract(change.number)
        kopecks = min(change.paid_kopecks, max(0, balances[main]))
        debtors = [(n, -balances[n]) for n in below[change.account_id] if kept[n].open]
        given = shares(kopecks, debtors)
        moves = [(main, -sum(given.values())), *given.items()] if given else []
        for name, moved in moves:
            balances[name] += moved
        if moves:
            plans.setdefault(change.payment_id, []).extend(moves)
    return plans


def _parts(moves: Sequence[tuple[str, int]]) -> tuple[Part, ...]:
    return tuple(Part(line, *move) for line, move in enumerate(moves, start=1))


def _gained(cause: Change, receipt: Receipt) -> Iterator[Change]:
    """Yield the changes of the subordinates; that of the main contract is known already."""
    for credit in receipt.credits:
        if credit.amount_kopecks > 0:
            yield Change(
                account_id=credit.account_id,
                number=credit.number,
                correlation_id=cause.correlation_id,
                tied=credit.tied,
                payment_id=cause.payment_id,
            )
