"""Terms of a contract: its group, when it is blocked, and the main contract above it.

A contract without a row has the terms of everybody. The rows stand apart from `contract`, because
a change of terms is no change that other services hear of.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import JSON, Boolean, Column, Index, Integer, Row, Table, Text, select

from shared.db import Tx, metadata
from shared.rows import among

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
