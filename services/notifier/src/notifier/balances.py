"""How contracts stood when core spoke last: what a message that asks for money is held against.

Events come in any order, so a balance is ordered by core's own moment. Of two that were true at
the same moment the larger one is kept: of somebody who may have paid nothing is asked.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Table, Text, and_, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from notifier.access import access
from notifier.standing import Standing
from shared.db import Instant, Tx, is_postgres, metadata
from shared.errors import Poison
from shared.events import BalanceLow, BalanceRecovered, Event, PaymentPosted
from shared.events_billing import (
    ContractBlocked,
    ContractUnblocked,
    FeeUpcoming,
    PaymentAnnulled,
)
from shared.rows import among

schema = metadata()
balance = Table(
    "balance",
    schema,
    Column("contract", Text, primary_key=True),
    Column("kopecks", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
)


_TELLING: Final = (
    BalanceLow,
    BalanceRecovered,
    ContractBlocked,
    ContractUnblocked,
    FeeUpcoming,
    PaymentAnnulled,
    PaymentPosted,
)
_MODELS: Final = {model.TYPE: model for model in _TELLING}


async def keep(tx: Tx, events: Iterable[Event]) -> None:
    """Write the balances that events tell of, where they are newer than the known ones."""
    newest: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.type in _MODELS:
            contract, moment, kopecks = _told(event)
            known = newest.get(contract)
            if known is None or (known["at"], known["kopecks"]) < (moment, kopecks):
                newest[contract] = {"contract": contract, "kopecks": kopecks, "at": moment}
    if not newest:
        return
    insert = postgresql.insert(balance) if is_postgres(tx) else sqlite.insert(balance)
    # In one order everywhere: two replicas that write the same rows must not wait in a circle.
    new = insert.values([newest[number] for number in sorted(newest)])
    older = balance.c.at < new.excluded.at
    same = and_(balance.c.at == new.excluded.at, balance.c.kopecks < new.excluded.kopecks)
    await tx.execute(
        new.on_conflict_do_update(
            index_elements=["contract"],
            set_={"kopecks": new.excluded.kopecks, "at": new.excluded.at},
            where=or_(older, same),
        )
    )


async def find(tx: Tx, contracts: Collection[str]) -> Mapping[str, Standing]:
    """Return how contracts stand as far as it is known."""
    if not contracts:
        return {}
    numbers = sorted(contracts)
    kopecks = await tx.execute(select(balance).where(among(tx, balance.c.contract, numbers)))
    balances = {row.contract: row.kopecks for row in kopecks}
    blocks = await tx.execute(
        select(access.c.contract, access.c.blocked).where(among(tx, access.c.contract, numbers))
    )
    blocked = {row.contract: row.blocked for row in blocks}
    return {number: Standing(balances.get(number), blocked.get(number)) for number in numbers}


def _told(event: Event) -> tuple[str, datetime, int]:
    """Return the contract, the moment of core at which it was true, and the balance."""
    body = _MODELS[event.type].of(event)
    if not body.contract:
        raise Poison(f"{event.type} names no contract")
    booked = body.posted_at if isinstance(body, PaymentPosted) else None
    return body.contract, booked or body.occurred_at, body.balance_kopecks
