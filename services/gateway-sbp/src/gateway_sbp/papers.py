"""Codes for paper: one for each contract, registered once, paid for years.

The order of such a code names its contract, so that a payment finds its owner even where this
table was lost.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Column, Table, Text, UniqueConstraint, and_, select
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from gateway_sbp.acquirer import Acquirer, StaticCode, StaticOrder
from shared.db import Instant, Tx, is_postgres, metadata, reading, transaction
from shared.errors import Text as Words
from shared.errors import Unavailable
from shared.gateway import directory
from shared.gateway.gateway import Gateway
from shared.gateway.provider import Failure

NAMED: Final = "c-"
HASHED: Final = "h-"

_FITS: Final = re.compile(r"[A-Za-z0-9._-]{1,38}", re.ASCII)
_NO_CODE: Final = Words(
    "The bank did not make the code: repeat later", "Банк не создал код: повторите позже"
)
_NONE: Final = Words(
    "This bank has no codes for paper: configure one that has",
    "У этого банка нет кодов для печати: настройте банк, у которого они есть",
)


class NoCodes(Unavailable):
    """This bank has no codes that name their contract."""

    def __init__(self) -> None:
        super().__init__(_NONE)


schema = metadata()
static_code = Table(
    "static_code",
    schema,
    Column("shop", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    Column("contract", Text, nullable=False),
    Column("qr_id", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("shop", "contract", name="uq_static_code_contract"),
)


@dataclass(frozen=True, slots=True)
class Paper:
    """A code for paper and whose it is."""

    contract: str
    code: StaticCode


def order_for(contract: str) -> str:
    """Return the order of a contract's code: its number, or a hash where that is no order."""
    if _FITS.fullmatch(contract):
        return NAMED + contract
    return HASHED + hashlib.sha256(contract.encode()).hexdigest()[:32]


async def contract_of(tx: Tx, shop: str, order: str) -> str | None:
    """Return whose code an order is; None for one that is nobody's.

    Operators bring codes that were printed before: their order is the number of the contract.
    """
    s = static_code.c
    known = select(s.contract).where(and_(s.shop == shop, s.order_id == order))
    found = (await tx.execute(known)).scalar()
    if found is not None:
        return str(found)
    if order.startswith(NAMED):
        return order.removeprefix(NAMED)
    return order if await directory.entries(tx, [order]) else None


async def paper(gateway: Gateway, acquirer: Acquirer, contract: str) -> Paper:
    """Return a contract's code, registered now where it has none.

    Raises Unavailable where the bank does not answer, NoCodes where it has no such codes.
    """
    order = order_for(contract)
    async with reading(gateway.db) as tx:
        known = await _find(tx, acquirer.shop, order)
    if known is not None:
        return known
    made = await acquirer.register(StaticOrder(order, contract, f"Договор {contract}"))
    if made is None:
        raise NoCodes
    if isinstance(made, Failure):
        raise Unavailable(_NO_CODE, retry_after_seconds=30)
    async with transaction(gateway.db) as tx:
        await _insert(tx, acquirer.shop, order, Paper(contract, made), gateway.clock())
        # Somebody else may have been faster; both codes are good, one is printed.
        return await _find(tx, acquirer.shop, order) or Paper(contract, made)


async def first(gateway: Gateway, acquirers: Sequence[Acquirer], contract: str) -> Paper:
    """Return a contract's code at the first bank that has such codes; raises as `paper`."""
    for acquirer in acquirers[:-1]:
        try:
            return await paper(gateway, acquirer, contract)
        except NoCodes:
            continue
    return await paper(gateway, acquirers[-1], contract)


async def _find(tx: Tx, shop: str, order: str) -> Paper | None:
    s = static_code.c
    where = and_(s.shop == shop, s.order_id == order)
    row = (await tx.execute(select(static_code).where(where))).one_or_none()
    return None if row is None else Paper(row.contract, StaticCode(row.qr_id, row.payload))


async def _insert(tx: Tx, shop: str, order: str, made: Paper, at: datetime) -> None:
    make = postgres_insert if is_postgres(tx) else sqlite_insert
    row = {
        "shop": shop,
        "order_id": order,
        "contract": made.contract,
        "qr_id": made.code.qr_id,
        "payload": made.code.payload,
        "created_at": at,
    }
    await tx.execute(make(static_code).values(**row).on_conflict_do_nothing())
