"""Main and subordinate contracts: what a main contract collects goes on to those below it.

A payment onto a main contract fills the subordinates that are below zero, by their priority, each
up to zero and the last one in part; what is left stays on the main contract. A debt that arises
while the main contract has money waits for its next payment: nothing moves without one.

What one payment hands on is one operation, `distribution` with the id of the payment's revision:
so it happens once, and is found again when the payment is corrected. Where only the sum of the
payment changes, what was handed on stays as far as it fits the new one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from core_billing import accounts, corrections, ledger, policy_rows, terms
from core_billing.accounts import Kept
from core_billing.changes import Change
from core_billing.correction_refusals import SUBORDINATE_CLOSED
from core_billing.drafts import Draft, Part, Payment, Reference
from core_billing.ledger import Receipt
from core_billing.policies import DISTRIBUTE
from core_billing.rules import Rules
from shared.db import Tx
from shared.money import Money

Gifts = Mapping[str, Sequence[tuple[str, int]]]
"""What each main contract has handed on to whom, by the names of their accounts, in kopecks."""


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


async def handed(tx: Tx, payment_id: int) -> Gifts:
    """Return what a revision of a payment has handed on and nobody has taken back, in order."""
    gifts: dict[str, list[tuple[str, int]]] = {}
    main = ""
    for row in await corrections.newest(tx, reference(payment_id)):
        part = corrections.undo(row)
        if row.line < 0 or part.account is None:
            continue
        if part.kopecks > 0:
            main = part.account
        else:
            gifts.setdefault(main, []).append((part.account, -part.kopecks))
    return gifts


def check_closed(stood: Gifts, left: Mapping[str, int], kept: Mapping[str, Kept]) -> None:
    """Raise where a closed contract would lose what it was given; `left` is what stays there."""
    for name, kopecks in (gift for gifts in stood.values() for gift in gifts):
        lost = kopecks - left.get(name, 0)
        if lost > 0 and not kept[name].open:
            raise SUBORDINATE_CLOSED(number=accounts.number_of(name), kopecks=Money(lost))


async def renew(
    tx: Tx,
    rules: Rules,
    changes: Sequence[Change],
    before: tuple[Gifts, Mapping[str, int]],
    at: datetime,
) -> list[Change]:
    """Hand on what a payment had handed on, as far as its new shares go, and what they gained.

    `before` is what stood and was taken back, and what the payment had on each contract by its
    number. Where a share is too small now, those who come last lose first. Raises
    SUBORDINATE_CLOSED where one of them is closed.
    """
    stood, lay = before
    on = (await policy_rows.load(tx, rules.day(at))).get(DISTRIBUTE)
    below = await terms.indebted(tx, {one.account_id for one in changes if one.tied and on})
    names = {accounts.of_contract(change.number) for change in changes}
    names.update(name for debtors in below.values() for name in debtors)
    names.update(name for gifts in stood.values() for name, _ in gifts)
    kept = await accounts.lock(tx, names)
    balances = {name: one.kopecks for name, one in kept.items()}
    moves: list[tuple[str, int]] = []
    for change in changes:
        main = accounts.of_contract(change.number)
        old = stood.get(main, [])
        given = shares(change.paid_kopecks, old)
        check_closed({main: old}, given, kept)
        _give(balances, main, given)
        gained = change.paid_kopecks - lay.get(change.number, 0)
        debts = [(n, -balances[n]) for n in below.get(change.account_id, ()) if kept[n].open]
        added = shares(min(gained, max(0, balances[main])), debts)
        _give(balances, main, added)
        given = {n: given.get(n, 0) + added.get(n, 0) for n in (*given, *added)}
        moves += [(main, -sum(given.values())), *given.items()] if given else []
    if not moves:
        return []
    source = (await accounts.sources(tx, [accounts.DISTRIBUTION]))[accounts.DISTRIBUTION]
    payment = Payment(*reference(changes[0].payment_id), 0, (), at)
    written = await ledger.write(tx, [Draft(payment, source, 1, _parts(moves), None)], kept, at)
    return [c for receipt in written.values() for c in _gained(changes[0], receipt)]


def _give(balances: dict[str, int], main: str, given: Mapping[str, int]) -> None:
    balances[main] -= sum(given.values())
    for name, kopecks in given.items():
        balances[name] += kopecks


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
