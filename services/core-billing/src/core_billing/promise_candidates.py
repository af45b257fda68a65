"""Contracts as the rules of promises see them, read from the database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from core_billing import promise_rows, promises, services, terms
from core_billing.accounts import balance
from core_billing.block_rows import block
from core_billing.contracts import contract
from core_billing.fee_calendar import Plan, Stretch
from core_billing.promise_rows import Past, Promise
from core_billing.promise_rules import Candidate
from core_billing.rules import Rules
from core_billing.terms import Terms
from shared.db import Tx
from shared.rows import among


async def candidate(tx: Tx, rules: Rules, contract_id: int, at: datetime) -> Candidate:
    """Return one contract as the rules see it."""
    held = {contract_id: await terms.find(tx, contract_id)}
    return (await candidates(tx, rules, held, at))[contract_id]


async def candidates(
    tx: Tx, rules: Rules, held: Mapping[int, Terms], at: datetime
) -> dict[int, Candidate]:
    """Return the contracts of these terms as the rules see them, in a fixed number of reads."""
    ids, today = list(held), rules.day(at)
    current = await promise_rows.open_of(tx, ids)
    past = await promise_rows.past_of(tx, ids, at)
    revisions = await promise_rows.revisions_of(tx, ids)
    free = await _free_from(tx, rules, ids, today)
    live = await services.live(tx, ids)
    found: dict[int, Candidate] = {}
    for row in await _contracts(tx, ids):
        one = _candidate(rules, row, held[row.id], current.get(row.id), past.get(row.id, ()))
        plans = tuple(services.going_on(service, free.get(row.id)) for service in live[row.id])
        found[row.id] = replace(
            one,
            plans=plans,
            largest_fee_kopecks=_largest_fee(plans, today),
            revision=revisions.get(row.id, 0),
        )
    return found


async def _free_from(tx: Tx, rules: Rules, ids: Collection[int], today: date) -> dict[int, date]:
    """Return since when contracts that have been blocked may be used; today where they are."""
    columns = select(block.c.contract_id, block.c.blocked, block.c.changed_at)
    rows = await tx.execute(columns.where(among(tx, block.c.contract_id, ids)))
    return {
        row.contract_id: today if row.blocked else rules.day(row.changed_at)
        for row in rows
        if row.blocked or row.changed_at is not None
    }


def _largest_fee(plans: Sequence[Plan], day: date) -> int:
    """Return the largest monthly fee on a day, in kopecks."""
    held = [stretch for plan in plans if (stretch := _on(plan, day)) is not None]
    return max((stretch.month_kopecks for stretch in held), default=0)


def _on(plan: Plan, day: date) -> Stretch | None:
    begun = [stretch for stretch in plan.stretches if stretch.since <= day]
    return begun[-1] if begun else None


async def _contracts(tx: Tx, ids: Collection[int]) -> Sequence[Any]:
    columns = select(
        contract.c.id,
        contract.c.number,
        contract.c.created_at,
        balance.c.kopecks,
        balance.c.credit_limit_kopecks,
        balance.c.promised_kopecks,
        balance.c.open,
    ).join(balance, balance.c.account_id == contract.c.id)
    return (await tx.execute(columns.where(among(tx, contract.c.id, ids)))).all()


def _candidate(
    rules: Rules, row: Any, held: Terms, current: Promise | None, past: Sequence[Past]
) -> Candidate:
    settled = [one.overdue_closed_at for one in past if one.overdue_closed_at is not None]
    last_day = None if current is None else promises.last_day(rules, current)
    if current is not None:
        # People read the moment in the sentence that refuses another one.
        current = replace(current, granted_at=current.granted_at.astimezone(rules.zone))
    return Candidate(
        contract_id=row.id,
        number=row.number,
        group=held.group_name,
        open=row.open,
        charging=held.charging,
        opted_in=held.automatic_promise,
        since=held.signed_on or rules.day(row.created_at),
        balance_kopecks=row.kopecks,
        floor_kopecks=row.credit_limit_kopecks + row.promised_kopecks,
        current=current,
        current_last_day=last_day,
        granted_on=tuple(rules.day(one.granted_at) for one in past),
        overdue_closed_on=rules.day(max(settled)) if settled else None,
    )
