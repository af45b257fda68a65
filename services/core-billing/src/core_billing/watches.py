"""Watches of balances: who wants to hear when one falls below a threshold.

A watch is armed or has said. It says when the balance is below the threshold while armed, and is
armed again at threshold and margin: so a balance that trembles around its threshold is told once.
Every contract has the watch of `notifier` from the beginning, with the contract's own threshold or
the operator's. The kinds that count days are judged in `day_watches`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, Select, bindparam, func, select

from core_billing import prospects, watch_rows
from core_billing.accounts import balance
from core_billing.contracts import contract
from core_billing.prospects import Prospect
from core_billing.rules import Rules
from core_billing.watch_rows import BALANCE, KEY, watch
from core_billing.watch_rules import State, judged
from shared import outbox
from shared.db import Tx, is_postgres
from shared.events import BalanceLow, BalanceRecovered, Event
from shared.rows import listed


async def judge(tx: Tx, rules: Rules, contracts: Mapping[int, str], at: datetime) -> None:
    """Look at contracts' balances once, at the end of what changed them, and say what crossed.

    `contracts` gives each id the correlation id of what changed it. They must be locked.
    """
    await outbox.add(tx, rules.producer, await crossings(tx, rules, contracts, at), at)


async def crossings(
    tx: Tx, rules: Rules, contracts: Mapping[int, str], at: datetime
) -> list[Event]:
    """Do as `judge`, but leave it to the caller to say the returned events with others.

    Only those that fell below are looked at any closer: when they will be blocked, and what they
    need, the services that are charged to them say.
    """
    if not contracts:
        return []
    watched = await tx.execute(
        _watching(is_postgres(tx)),
        {"ids": list(contracts), "kind": BALANCE, "low": rules.low_balance_kopecks},
    )
    crossed: list[tuple[Any, State]] = []
    for row in watched:
        before = State(row.armed, row.crossing)
        after = judged(before, row.kopecks, row.threshold, rules.margin_percent)
        if after != before:
            crossed.append((row, after))
    await watch_rows.change(tx, [_new_state(*one) for one in crossed])
    fallen = {row.contract_id for row, after in crossed if not after.armed}
    known = await prospects.find(tx, rules, fallen, at)
    return [
        _recovered(rules, row, after, at, contracts[row.contract_id])
        if after.armed
        else _low(rules, row, after, known[row.contract_id], at, contracts[row.contract_id])
        for row, after in crossed
    ]


@cache
def _watching(postgres: bool) -> Select[Any]:
    threshold = func.coalesce(
        watch.c.threshold_kopecks,
        contract.c.low_balance_kopecks,
        bindparam("low", type_=BigInteger),
    )
    return (
        select(
            *KEY,
            watch.c.armed,
            watch.c.crossing,
            threshold.label("threshold"),
            contract.c.number,
            balance.c.kopecks,
        )
        .join(contract, contract.c.id == watch.c.contract_id)
        .join(balance, balance.c.account_id == watch.c.contract_id)
        .where(listed(postgres, watch.c.contract_id, "ids"))
        .where(watch.c.kind == bindparam("kind"), watch.c.cleared.is_(False))
        .order_by(*KEY)
    )


def _new_state(row: Any, after: State) -> dict[str, Any]:
    return {
        "contract_id": row.contract_id,
        "watcher": row.watcher,
        "kind": row.kind,
        "armed": after.armed,
        "crossing": after.crossing,
    }


def _recovered(rules: Rules, row: Any, after: State, at: datetime, correlation_id: str) -> Event:
    body = BalanceRecovered(
        contract=row.number,
        occurred_at=at,
        watcher=row.watcher,
        crossing=after.crossing,
        balance_kopecks=row.kopecks,
    )
    return said(rules, body, correlation_id)


def _low(
    rules: Rules, row: Any, after: State, found: Prospect, at: datetime, correlation_id: str
) -> Event:
    blocks_on = found.blocks_on
    body = BalanceLow(
        contract=row.number,
        occurred_at=at,
        watcher=row.watcher,
        crossing=after.crossing,
        threshold_kopecks=row.threshold,
        balance_kopecks=row.kopecks,
        # At least what lifts the balance to its threshold; more where fees to come ask for it.
        needed_kopecks=max(row.threshold - row.kopecks, found.needed_kopecks),
        blocks_on=None if blocks_on is None else blocks_on.isoformat(),
    )
    return said(rules, body, correlation_id)


def said(rules: Rules, body: BalanceLow | BalanceRecovered, correlation_id: str) -> Event:
    """Wrap what a watch says of a crossing: one event for each crossing and its end."""
    return body.event(
        rules.producer.name,
        subject=body.contract or "",
        revision=f"{body.watcher}:{body.kind}:{body.crossing}",
        correlation_id=correlation_id,
    )
