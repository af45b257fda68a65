"""How each contract stood when core-billing last said so; the row is what holds a contract.

Whoever changes anything of a contract's autopay locks this row first, so two replicas never decide
for one contract at a time. Rows are locked in the order of their contracts.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import fields
from functools import cache
from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Date, Row, Select, Table, Text, false, select

from autopay.case import Account
from shared.db import Instant, Tx, is_postgres, metadata
from shared.rows import insert_new, listed, update_each

schema = metadata()
account = Table(
    "account",
    schema,
    Column("contract", Text, primary_key=True),
    Column("balance_kopecks", BigInteger),
    Column("available_kopecks", BigInteger),
    Column("balance_at", Instant),
    Column("needed_kopecks", BigInteger),
    # What the balance was when the needed sum was said.
    Column("needed_balance_kopecks", BigInteger),
    Column("needed_at", Instant),
    Column("lines", Text, nullable=False, server_default="[]"),
    Column("blocks_on", Date),
    Column("blocked", Boolean, nullable=False, server_default=false()),
    Column("access_revision", BigInteger, nullable=False, server_default="0"),
)
_FIELDS: Final = tuple(each.name for each in fields(Account))
_COLUMNS: Final = tuple(account.c.keys())


async def lock(tx: Tx, contracts: Collection[str]) -> dict[str, Account]:
    """Hold contracts until the end of the transaction; return how they stand."""
    if not contracts:
        return {}
    found = await _locked(tx, contracts)
    missing = sorted(set(contracts) - found.keys())
    if missing:
        await insert_new(tx, account, [{"contract": each} for each in missing], "contract")
        found |= await _locked(tx, missing)
    return found


async def lock_free(tx: Tx, due: Select[Any], most: int) -> dict[str, Account]:
    """Hold those of the chosen contracts that nobody else holds; return how they stand."""
    wanted = select(account).where(account.c.contract.in_(due)).order_by(account.c.contract)
    wanted = wanted.limit(most).with_for_update(skip_locked=True)
    return {row.contract: _account(row) for row in await tx.execute(wanted)}


async def find(tx: Tx, contract: str) -> Account:
    """Return how a contract stands, as far as it is known."""
    wanted = select(account).where(account.c.contract == contract)
    row = (await tx.execute(wanted)).one_or_none()
    return Account(contract) if row is None else _account(row)


async def write(tx: Tx, changed: Sequence[Account]) -> None:
    """Write down how locked contracts stand now."""
    await update_each(tx, account, [_row(each) for each in changed], "contract")


async def _locked(tx: Tx, contracts: Collection[str]) -> dict[str, Account]:
    rows = await tx.execute(_locking(is_postgres(tx)), {"contracts": list(contracts)})
    return {row.contract: _account(row) for row in rows}


@cache
def _locking(postgres: bool) -> Select[Any]:
    """Make the statement that holds contracts, in their order."""
    wanted = select(account).where(listed(postgres, account.c.contract, "contracts"))
    return wanted.order_by(account.c.contract).with_for_update()


def _row(one: Account) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _FIELDS}


def _account(row: Row[Any]) -> Account:
    return Account(**dict(zip(_COLUMNS, row, strict=True)))
