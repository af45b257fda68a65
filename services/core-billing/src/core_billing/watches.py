"""Watches: who wants to hear when a contract's balance falls below a threshold.

A watch is armed or has said. It says when the balance is below the threshold while armed, and is
armed again at threshold and margin: so a balance that trembles around its threshold is told once.
Every contract has the watch of `notifier` from the beginning, with the contract's own threshold or
the operator's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    case,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from core_billing.accounts import balance
from core_billing.contracts import contract
from core_billing.rules import Rules
from shared import outbox
from shared.db import Tx, is_postgres, metadata
from shared.events import BalanceLow, BalanceRecovered, Event
from shared.rows import insert_new, listed, update_each

DEFAULT_WATCHER: Final = "notifier"
BALANCE: Final = "balance"

schema = metadata()
watch = Table(
    "watch",
    schema,
    Column("contract_id", Integer, primary_key=True, autoincrement=False),
    Column("watcher", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    # None: the contract's own threshold, else the operator's.
    Column("threshold_kopecks", BigInteger),
    Column("armed", Boolean, nullable=False),
    Column("crossing", Integer, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("cleared", Boolean, nullable=False),
)
_KEY: Final = (watch.c.contract_id, watch.c.watcher, watch.c.kind)


class State(NamedTuple):
    """What a watch remembers between two judgements."""

    armed: bool
    crossing: int
    """How often the balance has fallen below; the number of the last time."""


class Setting(NamedTuple):
    """What a watcher asks for; a threshold of None means it is no longer interested."""

    contract_id: int
    watcher: str
    kind: str
    revision: int
    threshold_kopecks: int | None


def judged(
    state: State, balance_kopecks: int, threshold_kopecks: int, margin_percent: int
) -> State:
    """Return the state after looking at a balance; the same one where nothing is to be said."""
    if state.armed and balance_kopecks < threshold_kopecks:
        return State(armed=False, crossing=state.crossing + 1)
    margin = abs(threshold_kopecks) * margin_percent // 100
    if not state.armed and balance_kopecks >= threshold_kopecks + margin:
        return State(armed=True, crossing=state.crossing)
    return state


async def add_default(tx: Tx, contract_ids: Sequence[int]) -> None:
    """Give new contracts the watch that every contract has."""
    rows = [
        {
            "contract_id": contract_id,
            "watcher": DEFAULT_WATCHER,
            "kind": BALANCE,
            "armed": True,
            "crossing": 0,
            "revision": 0,
            "cleared": False,
        }
        for contract_id in contract_ids
    ]
    await insert_new(tx, watch, rows, "contract_id")


async def put(tx: Tx, settings: Sequence[Setting]) -> None:
    """Keep what watchers ask for, where the revision is greater than the kept one.

    A changed threshold does not arm a watch; one that was cleared is armed when set again.
    """
    for setting in settings:
        insert = postgres_insert if is_postgres(tx) else sqlite_insert
        wanted = {
            "threshold_kopecks": setting.threshold_kopecks,
            "revision": setting.revision,
            "cleared": setting.threshold_kopecks is None,
        }
        key = {"contract_id": setting.contract_id, "watcher": setting.watcher, "kind": setting.kind}
        statement = insert(watch).values(armed=True, crossing=0, **key, **wanted)
        await tx.execute(
            statement.on_conflict_do_update(
                index_elements=[column.name for column in _KEY],
                set_={**wanted, "armed": case((watch.c.cleared, True), else_=watch.c.armed)},
                where=watch.c.revision < setting.revision,
            )
        )


async def judge(tx: Tx, rules: Rules, contracts: Mapping[int, str], at: datetime) -> None:
    """Look at contracts' balances once, at the end of what changed them, and say what crossed.

    `contracts` gives each id the correlation id of what changed it. They must be locked.
    """
    await outbox.add(tx, rules.producer, await crossings(tx, rules, contracts, at), at)


async def crossings(
    tx: Tx, rules: Rules, contracts: Mapping[int, str], at: datetime
) -> list[Event]:
    """Do as `judge`, but leave it to the caller to say the returned events with others."""
    if not contracts:
        return []
    watched = await tx.execute(
        _watching(is_postgres(tx)),
        {"ids": list(contracts), "kind": BALANCE, "low": rules.low_balance_kopecks},
    )
    said: list[Event] = []
    crossed: list[dict[str, Any]] = []
    for row in watched:
        before = State(row.armed, row.crossing)
        after = judged(before, row.kopecks, row.threshold, rules.margin_percent)
        if after != before:
            crossed.append(_new_state(row, after))
            said.append(_said(rules, row, after, at, contracts[row.contract_id]))
    await update_each(tx, watch, crossed, *(column.name for column in _KEY))
    return said


@cache
def _watching(postgres: bool) -> Select[Any]:
    threshold = func.coalesce(
        watch.c.threshold_kopecks,
        contract.c.low_balance_kopecks,
        bindparam("low", type_=BigInteger),
    )
    return (
        select(
            *_KEY,
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
        .order_by(*_KEY)
    )


def _new_state(row: Any, after: State) -> dict[str, Any]:
    return {
        "contract_id": row.contract_id,
        "watcher": row.watcher,
        "kind": row.kind,
        "armed": after.armed,
        "crossing": after.crossing,
    }


def _said(rules: Rules, row: Any, after: State, at: datetime, correlation_id: str) -> Event:
    body: BalanceLow | BalanceRecovered
    if after.armed:
        body = BalanceRecovered(
            contract=row.number,
            occurred_at=at,
            watcher=row.watcher,
            crossing=after.crossing,
            balance_kopecks=row.kopecks,
        )
    else:
        body = BalanceLow(
            contract=row.number,
            occurred_at=at,
            watcher=row.watcher,
            crossing=after.crossing,
            threshold_kopecks=row.threshold,
            balance_kopecks=row.kopecks,
            needed_kopecks=row.threshold - row.kopecks,
        )
    return body.event(
        rules.producer.name,
        subject=row.number,
        revision=f"{row.watcher}:{row.kind}:{after.crossing}",
        correlation_id=correlation_id,
    )
