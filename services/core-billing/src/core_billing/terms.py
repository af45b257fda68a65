"""Terms of a contract: its group, when it is blocked, and the main contract above it.

A contract without a row has the terms of everybody. The rows stand apart from `contract`, because
a change of terms is no change that other services hear of.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Date,
    Index,
    Integer,
    Row,
    Table,
    Text,
    func,
    select,
    update,
)

from core_billing.accounts import account, balance, number_of
from shared.db import Instant, Tx, metadata
from shared.rows import among, insert_new

DEFAULT_GROUP: Final = "default"
ADVANCE: Final = "advance"
"""Services are paid before they are used; the others are `credit` and `mixed`."""

schema = metadata()
terms = Table(
    "terms",
    schema,
    Column("contract_id", Integer, primary_key=True, autoincrement=False),
    Column("revision", Integer, nullable=False),
    Column("changed_by", Text, nullable=False),
    Column("group_name", Text, nullable=False),
    Column("charging", Text, nullable=False),
    # The contract's own rule of blocking, else that of its group: see `policies.BlockRule`.
    Column("block_rule", JSON(none_as_null=True)),
    Column("main_id", Integer),
    # Among the subordinates of one main contract: 1 is filled first.
    Column("priority", Integer, nullable=False),
    Column("automatic_promise", Boolean, nullable=False),
    Column("changed_at", Instant),
    # The day of the paper, for a contract that is older than its row here.
    Column("signed_on", Date),
    # How many days before a block the subscriber hears of it; none as the operator has it.
    Column("low_balance_days", Integer),
)
_below = terms.c.main_id.is_not(None)
Index("ix_terms_main_id", terms.c.main_id, postgresql_where=_below, sqlite_where=_below)


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a contract as they stand."""

    contract_id: int
    revision: int = 0
    changed_by: str = ""
    group_name: str = DEFAULT_GROUP
    charging: str = ADVANCE
    block_rule: dict[str, Any] | None = None
    main_id: int | None = None
    priority: int = 1
    automatic_promise: bool = False
    changed_at: datetime | None = None
    signed_on: date | None = None
    """The day the contract was signed, where it is older than its row here."""
    low_balance_days: int | None = None
    """How many days before a block the subscriber hears of it: none as the operator has it, 0 not
    at all."""


async def find_all(tx: Tx, contract_ids: Collection[int]) -> dict[int, Terms]:
    """Return the terms of all these contracts."""
    rows = await tx.execute(select(terms).where(among(tx, terms.c.contract_id, contract_ids)))
    known = {row.contract_id: _read(row) for row in rows}
    return {each: known.get(each, Terms(each)) for each in contract_ids}


async def find(tx: Tx, contract_id: int) -> Terms:
    """Return the terms of a contract."""
    return (await find_all(tx, [contract_id]))[contract_id]


def _read(row: Row[Any]) -> Terms:
    return Terms(*row)


async def indebted(tx: Tx, main_ids: Collection[int]) -> dict[int, list[str]]:
    """Return the accounts below zero under each of these main contracts, first to be filled first.

    Only open contracts take money. Main contracts without such a one are left out.
    """
    if not main_ids:
        return {}
    rows = await tx.execute(
        select(terms.c.main_id, account.c.name)
        .join(balance, balance.c.account_id == terms.c.contract_id)
        .join(account, account.c.id == terms.c.contract_id)
        .where(among(tx, terms.c.main_id, main_ids), balance.c.kopecks < 0, balance.c.open)
        .order_by(terms.c.main_id, terms.c.priority, terms.c.contract_id)
    )
    found: dict[int, list[str]] = {}
    for main_id, name in rows:
        found.setdefault(main_id, []).append(name)
    return found


async def debts(tx: Tx, main_ids: Collection[int]) -> dict[int, int]:
    """Return what the open contracts under each of these main contracts owe together, in kopecks.

    Main contracts below which nobody owes anything are left out.
    """
    mine = among(tx, terms.c.main_id, main_ids)
    owed = select(terms.c.main_id, func.sum(-balance.c.kopecks))
    owed = owed.join(balance, balance.c.account_id == terms.c.contract_id)
    owing = owed.where(mine, balance.c.kopecks < 0, balance.c.open).group_by(terms.c.main_id)
    return {main_id: int(kopecks) for main_id, kopecks in await tx.execute(owing)}


async def low_days(tx: Tx, contract_ids: Collection[int]) -> dict[int, int]:
    """Return how many days before a block these contracts want to hear of it, where they say so."""
    said = terms.c.low_balance_days
    mine = select(terms.c.contract_id, said).where(among(tx, terms.c.contract_id, contract_ids))
    rows = await tx.execute(mine.where(said.is_not(None)))
    return {row.contract_id: row.low_balance_days for row in rows}


async def farthest(tx: Tx) -> int:
    """Return the largest number of days before a block that a contract asks for; 0 for none."""
    found = await tx.execute(select(func.coalesce(func.max(terms.c.low_balance_days), 0)))
    return int(found.scalar_one())


async def add(tx: Tx, wanted: Sequence[Terms]) -> None:
    """Keep the terms of new contracts."""
    await insert_new(tx, terms, [asdict(one) for one in wanted], "contract_id")


async def main_of(tx: Tx, held: Terms) -> str | None:
    """Return the number of the main contract above, if there is one."""
    if held.main_id is None:
        return None
    named = select(account.c.name).where(account.c.id == held.main_id)
    return number_of((await tx.execute(named)).scalar_one())


async def subordinates(tx: Tx, main_id: int) -> int:
    """Return how many contracts are below a main contract."""
    counted = select(func.count()).where(terms.c.main_id == main_id)
    return (await tx.execute(counted)).scalar_one()


async def put(tx: Tx, wanted: Terms) -> None:
    """Keep the terms of a contract, whose account the caller has locked."""
    row = asdict(wanted)
    mine = terms.c.contract_id == wanted.contract_id
    if (await tx.execute(update(terms).where(mine).values(row))).rowcount == 0:
        await tx.execute(terms.insert().values(row))
