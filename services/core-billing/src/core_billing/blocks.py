"""Blocking: who has run out of money is cut off, and let in again with the money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from core_billing import accounts, block_rows
from core_billing.block_rows import Access, State
from core_billing.changes import Change
from core_billing.policies import BLOCK, BlockMode, BlockRule, of_group
from core_billing.policy_rows import Policies
from core_billing.rules import Rules
from shared.db import Tx
from shared.events import Event
from shared.events_billing import ContractBlocked, ContractUnblocked

COVERED: Final = "covered"
"""Unblocked because there is money again, or a promise of it."""
EXEMPT: Final = "exempt"
"""Unblocked because its rule or its tariffs no longer block it."""


def rule_of(policies: Policies, access: Access) -> BlockRule:
    """Return when a contract is cut off: by its own rule, its group's or everybody's."""
    if access.block_rule is not None:
        return BlockRule.model_validate(access.block_rule)
    return policies.get(BLOCK, of_group(access.group_name))


def is_never(policies: Policies, access: Access) -> bool:
    """Say whether a contract's rule is that it is never cut off."""
    return rule_of(policies, access).mode is BlockMode.NEVER


def is_covered(access: Access) -> bool:
    """Say whether a contract has something available; a closed one is left as it is."""
    return access.open and access.available_kopecks >= 0


def short_day(rules: Rules, access: Access) -> date | None:
    """Return the first day on which less than nothing was available, if it has been noted."""
    since = access.state.short_since
    return None if since is None else rules.day(since)


async def lift(tx: Tx, rules: Rules, changes: Sequence[Change], at: datetime) -> list[Event]:
    """Unblock those of these contracts that may be used again; return what is to be said.

    Whoever was blocked, by whatever rule, is unblocked where there is something available: below
    that a rule that allows some debt would let in and shut out at every payment. The contracts are
    locked, and the money that they get stands in the same transaction. Who was short without being
    blocked is short no more: the days that a rule allows begin anew with the next debt.
    """
    told = {change.account_id: change.correlation_id for change in changes}
    paid = {change.account_id for change in changes if change.paid_kopecks > 0}
    found = await block_rows.find(tx, told)
    await forget(tx, found)
    free = [one for one in found if one.state.blocked and is_covered(one)]
    return await unblock(tx, rules, [(one, COVERED) for one in free], told, at, paid)


async def forget(tx: Tx, locked: Sequence[Access]) -> None:
    """Forget since when those of these contracts were short that no longer are."""
    again = [
        (one, replace(one.state, short_since=None))
        for one in locked
        if one.state.short_since is not None
        and not one.state.blocked
        and one.available_kopecks >= 0
    ]
    await block_rows.put(tx, again)


async def unblock(
    tx: Tx,
    rules: Rules,
    chosen: Sequence[tuple[Access, str]],
    told: dict[int, str],
    at: datetime,
    paid: set[int] | frozenset[int] = frozenset(),
) -> list[Event]:
    """Let locked, blocked contracts in again, each for its reason; return what is to be said.

    `told` names the correlation id of each. Whoever has `paid` may have a block postponed again.
    """
    changed = [
        (
            one,
            State(
                blocked=False,
                revision=one.state.revision + 1,
                reason=reason,
                changed_at=at,
                short_since=None if one.available_kopecks >= 0 else one.state.short_since,
                postponed_until=None if one.contract_id in paid else one.state.postponed_until,
            ),
        )
        for one, reason in chosen
    ]
    return await _write(tx, rules, changed, told, at)


async def block(
    tx: Tx,
    rules: Rules,
    chosen: Sequence[tuple[Access, str]],
    at: datetime,
    correlation_id: str,
) -> list[Event]:
    """Cut locked contracts off, each for its reason; return what is to be said.

    They are tied, so that the money that comes lets them in again in its own transaction.
    """
    changed = [
        (
            one,
            State(
                blocked=True,
                revision=one.state.revision + 1,
                reason=reason,
                changed_at=at,
                short_since=one.state.short_since or at,
                postponed_until=one.state.postponed_until,
            ),
        )
        for one, reason in chosen
    ]
    ids = [one.contract_id for one, _ in chosen]
    await accounts.tie_all(tx, ids)
    return await _write(tx, rules, changed, dict.fromkeys(ids, correlation_id), at)


async def _write(
    tx: Tx,
    rules: Rules,
    changed: Sequence[tuple[Access, State]],
    told: dict[int, str],
    at: datetime,
) -> list[Event]:
    await block_rows.put(tx, changed)
    await block_rows.note(tx, changed, at)
    return [_event(rules, one, state, at, told[one.contract_id]) for one, state in changed]


def _event(rules: Rules, one: Access, state: State, at: datetime, correlation_id: str) -> Event:
    kind = ContractBlocked if state.blocked else ContractUnblocked
    body = kind(
        contract=one.number,
        occurred_at=at,
        revision=state.revision,
        reason=state.reason,
        balance_kopecks=one.balance_kopecks,
        available_kopecks=one.available_kopecks,
    )
    return body.event(
        rules.producer.name,
        subject=one.number,
        revision=state.revision,
        correlation_id=correlation_id,
    )
