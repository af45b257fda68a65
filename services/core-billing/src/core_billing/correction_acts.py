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
    distribution,
    holdings,
    operations,
    policy_rows,
    revisions,
)
from core_billing import correction_refusals as refusals
from core_billing.accounts import Kept
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
from core_billing.revisions import By, Chain
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
    handed = await distribution.withdraw(tx, chain.newest.id, by.at)
    receipt, kept = await corrections.revise(tx, reference, seen, shares, by.at)
    await revisions.add(tx, receipt.payment_id, wish.action, wish.reason, by)
    now = await _known(tx, reference)
    balances = await _follow(tx, rules, wish.action, (chain, now), {**kept, **handed}, by)
    return Corrected(now, balances)


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
    if correction_rules.is_held(chain):
        return
    scopes = {of_operator(one.operator) for one in found.values()}
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
    by: By,
) -> dict[str, int]:
    """Say and do what follows from a correction; both chains are before it and after.

    Returns the balances of all whom it touched.
    """
    before, now = chains
    real = accounts.is_real(now.reference[0])
    lies, lay = _by_contract(now), _by_contract(before)
    touched = operations.changes_of(dict(kept), by.correlation_id, now.newest.id)
    changes = {change.account_id: change for change in touched}
    if real:
        # All of it is handed on anew, while a promise counts what has been added or taken: so this
        # comes first, and what `follow` would hand on has then been handed on already.
        placed = [replace(one, paid_kopecks=lies.get(one.number, 0)) for one in touched if one.tied]
        for change in await distribution.spread(tx, rules, placed, by.at):
            changes.setdefault(change.account_id, change)
        gains = {n: lies.get(n, 0) - lay.get(n, 0) for n in lies.keys() | lay.keys()}
        changes = {
            key: replace(change, paid_kopecks=gains.get(change.number, 0))
            for key, change in changes.items()
        }
    said = await consequences.follow(tx, rules, list(changes.values()), by.at)
    found = await contracts.find_all(tx, {change.number for change in changes.values()})
    balances = {number: one.balance_kopecks for number, one in found.items()}
    if action is Action.ANNUL and real:
        said += _annulled(rules, now, lay, balances, by)
    await outbox.add(tx, rules.producer, said, by.at)
    return balances


def _by_contract(chain: Chain) -> dict[str, int]:
    found: dict[str, int] = {}
    for share in chain.newest.shares:
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
