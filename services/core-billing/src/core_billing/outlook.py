"""Reads the positions of contracts, and foresees their blocks, many in a few statements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from core_billing import (
    block_rows,
    block_services,
    blocks,
    contracts,
    policy_rows,
    promise_rows,
    services,
    terms,
)
from core_billing.block_rows import Access
from core_billing.fee_calendar import Plan
from core_billing.forecast import HORIZON_DAYS, Forecast, foresee
from core_billing.policies import BLOCK_CALENDAR, DISTRIBUTE, of_group
from core_billing.policy_rows import Policies
from core_billing.position import Position
from core_billing.promise_rows import Promise
from core_billing.rules import Rules
from core_billing.services import Service
from shared.db import Tx

PAGE_MAX: Final = 2000


@dataclass(frozen=True, slots=True)
class Outlook:
    """A contract and what is foreseen of it."""

    position: Position
    forecast: Forecast


async def page(
    tx: Tx,
    rules: Rules,
    policies: Policies,
    after_id: int,
    limit: int,
    today: date,
    days: int = HORIZON_DAYS,
) -> list[Outlook]:
    """Foresee a page of all contracts in the order of their ids, those after an id.

    `policies` is what `policy_rows.load_all` has returned. With few `days` to look ahead, as for
    what will be blocked tonight, a page costs its statements and little else.
    """
    ids = [one.id for one in await contracts.page(tx, after_id, min(limit, PAGE_MAX))]
    calendar = policies.get(BLOCK_CALENDAR)
    found = await positions(tx, rules, policies, ids, today)
    return [Outlook(one, foresee(one, calendar, today, days)) for one in found]


async def find(tx: Tx, rules: Rules, contract_id: int, today: date) -> tuple[Position, Policies]:
    """Return the position of a contract, and the settings that hold for it today."""
    group = (await terms.find(tx, contract_id)).group_name
    policies = await policy_rows.load(tx, today, of_group(group))
    [one] = await positions(tx, rules, policies, [contract_id], today)
    return one, policies


async def positions(
    tx: Tx, rules: Rules, policies: Policies, contract_ids: Collection[int], today: date
) -> list[Position]:
    """Return the positions of these contracts in the order of their ids."""
    accesses = await block_rows.find(tx, contract_ids)
    held = await services.live(tx, contract_ids)
    promised = await promise_rows.open_of(tx, contract_ids)
    exempt = await block_services.exempt(tx, contract_ids, today)
    below = await terms.debts(tx, contract_ids) if policies.get(DISTRIBUTE) else {}
    return [
        _position(
            *(rules, policies, one),
            plans=_plans(one, held[one.contract_id], today),
            promise=promised.get(one.contract_id),
            exempt=one.contract_id in exempt,
            below_kopecks=below.get(one.contract_id, 0),
        )
        for one in accesses
    ]


def _plans(access: Access, held: Sequence[Service], today: date) -> tuple[Plan, ...]:
    """Return the services as they go on: the days of a block that lasts are not charged."""
    free_from = today if access.state.blocked else None
    return tuple(services.going_on(one, free_from) for one in held)


def _position(
    rules: Rules,
    policies: Policies,
    access: Access,
    *,
    plans: tuple[Plan, ...],
    promise: Promise | None,
    exempt: bool,
    below_kopecks: int,
) -> Position:
    floor = access.available_kopecks - access.balance_kopecks
    left = 0 if promise is None else promise.amount_kopecks - promise.paid_kopecks
    return Position(
        contract_id=access.contract_id,
        number=access.number,
        group=access.group_name,
        open=access.open,
        balance_kopecks=access.balance_kopecks,
        credit_limit_kopecks=floor - access.promised_kopecks,
        rule=blocks.rule_of(policies, access),
        exempt=exempt,
        plans=plans,
        promised_kopecks=access.promised_kopecks,
        promise_left_kopecks=max(0, left),
        promise_ends=None if promise is None else rules.day(promise.until),
        subordinate_debt_kopecks=below_kopecks,
        blocked=access.state.blocked,
        short_since=blocks.short_day(rules, access),
    )
