"""A manager corrects a payment: one further revision, what it says, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from core_billing import (
    accounts,
    consequences,
    contracts,
    correction_rules,
    corrections,
    desk,
    distribution,
    holdings,
    operations,
    policy_rows,
    promise_rows,
    revisions,
    transfers,
    write_offs,
)
from core_billing import correction_refusals as refusals
from core_billing.accounts import Kept
from core_billing.changes import Change
from core_billing.correction_rules import Action, Share, Wish
from core_billing.desk_rules import AMOUNT_ABOVE_MAX, AMOUNT_BELOW_MIN
from core_billing.drafts import Reference
from core_billing.policies import (
    CLOSED_BEFORE,
    PAYMENT_MAX,
    PAYMENT_MIN,
    PAYMENTS_CHANGEABLE,
    of_operator,
)
from core_billing.policy_rows import EVERYBODY, Policies
from core_billing.revisions import By, Chain, Revision
from core_billing.rules import Rules
from shared import outbox
from shared.db import Tx
from shared.events import Event
from shared.events_billing import PaymentAnnulled
from shared.money import Money


@dataclass(frozen=True, slots=True)
class Corrected:
    """A payment after its correction, and the balances of the contracts it touched."""

    chain: Chain
    balances: Mapping[str, int]
    """By the contract's number, in kopecks."""


async def correct(
    tx: Tx, rules: Rules, reference: Reference, seen: int, wish: Wish, by: By
) -> Corrected:
    """Write a further revision of a payment as a manager wishes, and do what follows from it.

    `seen` is the revision the manager has looked at. Raises the refusals of `correction_refusals`.
    """
    correction_rules.check_wish(wish)
    await holdings.lock(tx, [reference])
    chain = await _known(tx, reference)
    at = partial(revisions.shown, rules)
    if chain.newest.number != seen:
        raise refusals.CHANGED_MEANWHILE(**correction_rules.who(chain.newest, at))
    shares = correction_rules.decided(chain, wish, at)
    await _check_policies(tx, rules, chain, shares, wish, by.at)
    # What the revision has handed on to subordinate contracts comes back before it goes.
    gifts = await distribution.handed(tx, chain.newest.id)
    handed = await distribution.withdraw(tx, chain.newest.id, by.at)
    stood = gifts if _stays(chain, wish) else None
    if stood is None:
        distribution.check_closed(gifts, {}, handed)
    receipt, kept = await corrections.revise(tx, reference, seen, shares, by.at)
    if wish.action is Action.RESTORE:
        _check_restored(reference[0], shares, kept)
    await revisions.add(tx, receipt.payment_id, wish.action, wish.reason, by)
    now = await _known(tx, reference)
    balances = await _follow(tx, rules, wish.action, (chain, now), {**kept, **handed}, stood, by)
    return Corrected(now, balances)


def _stays(chain: Chain, wish: Wish) -> bool:
    """Say whether what was handed on stays where it fits: its payment goes nowhere else."""
    return wish.action is Action.AMOUNT or correction_rules.is_placed(chain, wish)


def _check_restored(source: str, shares: Sequence[Share], kept: Mapping[str, Kept]) -> None:
    """Ask again what was asked when it was made; `kept` is how the contracts were before."""
    for number, kopecks in shares:
        if number is None:
            continue
        before = kept[accounts.of_contract(number)]
        if source == accounts.WRITE_OFF:
            write_offs.checked(number, before, kopecks)
        elif source == accounts.TRANSFER and kopecks < 0:
            transfers.check_balance(number, before, -kopecks)


async def _known(tx: Tx, reference: Reference) -> Chain:
    chain = await revisions.chain(tx, reference)
    if chain is None:
        raise refusals.PAYMENT_UNKNOWN(id=":".join(reference))
    return chain


async def _check_policies(
    tx: Tx, rules: Rules, chain: Chain, shares: Sequence[Share], wish: Wish, at: datetime
) -> None:
    """Raise where a setting forbids it; none does for money that waits to be placed at all."""
    touched = {*(share.number for share in chain.standing.shares), *(to for to, _ in shares)}
    found = await contracts.find_all(tx, [number for number in touched if number is not None])
    for number, _ in shares:
        if number is not None and number not in found:
            raise refusals.CONTRACT_UNKNOWN(number=number)
    if correction_rules.is_placed(chain, wish):
        return
    notes = await desk.find_all(tx, [chain.id])
    # Also whose desk has taken it: in suspense it would lie in nobody's period.
    operators = [one.operator for one in found.values()]
    operators += [note.operator for note in notes.values()]
    scopes = {of_operator(operator) for operator in operators}
    policies = await policy_rows.load(tx, rules.day(at), *scopes)
    if not policies.get(PAYMENTS_CHANGEABLE):
        raise refusals.NOT_CHANGEABLE()
    if wish.amount_kopecks is not None:
        _check_bounds(policies, Money(wish.amount_kopecks))
    day = rules.day(chain.paid_at)
    for first in (policies.get(CLOSED_BEFORE, scope) for scope in scopes or {EVERYBODY}):
        if first is not None and day < first:
            raise refusals.PERIOD_CLOSED(day=f"{day:%d.%m.%Y}", first=f"{first:%d.%m.%Y}")


def _check_bounds(policies: Policies, amount: Money) -> None:
    """Raise where a manager could not have taken a payment of this sum either."""
    least, greatest = policies.get(PAYMENT_MIN), policies.get(PAYMENT_MAX)
    if amount < least:
        raise AMOUNT_BELOW_MIN(amount=amount, bound=least)
    if amount > greatest:
        raise AMOUNT_ABOVE_MAX(amount=amount, bound=greatest)


async def _follow(
    tx: Tx,
    rules: Rules,
    action: Action,
    chains: tuple[Chain, Chain],
    kept: Mapping[str, Kept],
    stood: distribution.Gifts | None,
    by: By,
) -> dict[str, int]:
    """Say and do what follows from a correction; both chains are before it and after.

    `stood` is what stays handed on where it fits; None: all is handed on anew. Returns the
    balances of all whom it touched.
    """
    before, now = chains
    real = accounts.is_real(now.reference[0])
    lies, lay = _by_contract(now.newest), _by_contract(before.newest)
    touched = operations.changes_of(dict(kept), by.correlation_id, now.newest.id)
    changes = {change.account_id: change for change in touched}
    if real:
        # It is handed on by its whole sum, while a promise counts what has been added or taken: so
        # this comes first, and what `follow` would hand on has then been handed on already.
        placed = [replace(one, paid_kopecks=lies.get(one.number, 0)) for one in touched]
        if stood is not None:
            handed = await distribution.renew(tx, rules, placed, (stood, lay), by.at)
        else:
            mains = [one for one in placed if one.tied]
            handed = await distribution.spread(tx, rules, mains, by.at)
        for change in handed:
            changes.setdefault(change.account_id, change)
        changes = await _counted(tx, chains, changes)
    said = await consequences.follow(tx, rules, list(changes.values()), by.at)
    found = await contracts.find_all(tx, {change.number for change in changes.values()})
    balances = {number: one.balance_kopecks for number, one in found.items()}
    if action is Action.ANNUL and real:
        said += _annulled(rules, now, lay, balances, by)
    await outbox.add(tx, rules.producer, said, by.at)
    return balances


async def _counted(
    tx: Tx, chains: tuple[Chain, Chain], changes: Mapping[int, Change]
) -> dict[int, Change]:
    """Return the changes with what each contract has gained by a correction of real money.

    Where a promise is open, what the payment had brought before it was granted is not counted.
    """
    before, now = chains
    lies, lay = _by_contract(now.newest), _by_contract(before.newest)
    promises = await promise_rows.open_of(tx, changes)
    counted: dict[int, Change] = {}
    for key, change in changes.items():
        has, had = lies.get(change.number, 0), lay.get(change.number, 0)
        if key in promises:
            granted_at = promises[key].granted_at
            older = [one for one in before.revisions if one.at < granted_at]
            base = _by_contract(older[-1]).get(change.number, 0) if older else 0
            has, had = max(has, base), max(had, base)
        counted[key] = replace(change, paid_kopecks=has - had)
    return counted


def _by_contract(revision: Revision) -> dict[str, int]:
    found: dict[str, int] = {}
    for share in revision.shares:
        if share.number is not None:
            found[share.number] = found.get(share.number, 0) + share.kopecks
    return found


def _annulled(
    rules: Rules, now: Chain, lay: Mapping[str, int], balances: Mapping[str, int], by: By
) -> list[Event]:
    source, external_id = now.reference
    return [
        PaymentAnnulled(
            contract=number,
            occurred_at=by.at,
            payment_id=str(now.id),
            provider=source,
            provider_payment_id=external_id,
            amount_kopecks=kopecks,
            balance_kopecks=balances[number],
        ).event(
            rules.producer.name,
            subject=number,
            revision=f"{source}:{external_id}:{now.newest.number}",
            correlation_id=by.correlation_id,
        )
        for number, kopecks in lay.items()
    ]
