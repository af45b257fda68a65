"""Who may use the network, as the operator's access controller is to be told: state, not history.

One row for each contract holds the newest revision that was heard, whatever the order of the
events. A row with a `due_at` is owed to the controller; what replaces it meanwhile is told instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    Row,
    Table,
    Text,
    Uuid,
    false,
    func,
    select,
    update,
)

from shared.db import Instant, Tx, is_postgres, metadata, raise_signal
from shared.errors import Poison
from shared.events import Event
from shared.events_billing import ContractBlocked, ContractUnblocked
from shared.rows import among, chosen, keep_newest

SIGNAL: Final = "notifier.access"
HEARD: Final = frozenset({ContractBlocked.TYPE, ContractUnblocked.TYPE})
CONTRACT_MAX: Final = 64
REASON_MAX: Final = 200
RESEND_MAX: Final = 1000
_MARKED_MAX: Final = 1000

schema = metadata()
access = Table(
    "access_state",
    schema,
    Column("contract", Text, primary_key=True),
    Column("revision", BigInteger, nullable=False),
    Column("blocked", Boolean, nullable=False),
    Column("reason", Text, nullable=False),
    Column("balance_kopecks", BigInteger, nullable=False),
    Column("available_kopecks", BigInteger, nullable=False),
    Column("occurred_at", Instant, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("delivered_revision", BigInteger),
    Column("delivered_at", Instant),
    # None where nothing is owed. During an attempt it is the end of the lease, so that any other
    # value says that the row was asked for anew meanwhile.
    Column("due_at", Instant),
    Column("attempts", Integer, nullable=False, server_default="0"),
    # The first attempt since the last success.
    Column("failing_since", Instant),
    Column("alarmed", Boolean, nullable=False, server_default=false()),
    Column("last_status", Integer),
    Column("last_error", Text),
    Column("lease_token", Uuid),
    Column("leased_until", Instant),
)
_owed = access.c.due_at.is_not(None)
Index(
    "ix_access_state_owed",
    access.c.attempts,
    access.c.blocked,
    access.c.due_at,
    postgresql_where=_owed,
    sqlite_where=_owed,
)


async def keep(tx: Tx, events: Iterable[Event], at: datetime) -> None:
    """Write the states of blocked and unblocked contracts that are newer than the known ones.

    Raises Poison for a state without a contract.
    """
    states = [_row(event, at) for event in events if event.type in HEARD]
    if await keep_newest(tx, access, "contract", states):
        raise_signal(tx, SIGNAL)


async def page(
    tx: Tx,
    *,
    limit: int,
    after: str | None = None,
    contract: str | None = None,
    blocked: bool | None = None,
    owed: bool | None = None,
) -> Sequence[Row[Any]]:
    """Return states in the order of their contracts, after one of them."""
    wanted = select(access).order_by(access.c.contract).limit(limit)
    if after is not None:
        wanted = wanted.where(access.c.contract > after)
    if contract is not None:
        wanted = wanted.where(access.c.contract == contract)
    if blocked is not None:
        wanted = wanted.where(access.c.blocked == blocked)
    if owed is not None:
        wanted = wanted.where(_owed if owed else ~_owed)
    return (await tx.execute(wanted)).all()


async def counts(tx: Tx) -> tuple[int, int]:
    """Return how many contracts are known, and how many of them the controller is owed."""
    both = select(func.count(), func.count(access.c.due_at)).select_from(access)
    known, owed = (await tx.execute(both)).one()
    return int(known), int(owed)


async def owed_count(tx: Tx) -> int:
    """Return how many contracts the controller is owed."""
    return int((await tx.execute(select(func.count()).where(_owed))).scalar_one())


async def resend(tx: Tx, at: datetime, contracts: Sequence[str]) -> int:
    """Have the newest states of contracts told again, as if they were new; return how many."""
    asked = update(access).where(among(tx, access.c.contract, contracts))
    written = await tx.execute(asked.values(due_at=at, attempts=0))
    raise_signal(tx, SIGNAL)
    return written.rowcount


async def numbers(tx: Tx, after: str, limit: int = RESEND_MAX) -> list[str]:
    """Return the contracts that are known, in their order, after one of them; locked."""
    these = select(access.c.contract).where(access.c.contract > after)
    these = these.order_by(access.c.contract).limit(limit).with_for_update()
    return list((await tx.execute(these)).scalars())


async def mark_overdue(tx: Tx, at: datetime, patience: timedelta) -> Sequence[Row[Any]]:
    """Mark states that have failed for longer than this; return them, each only once."""
    late = select(access.c.contract).where(
        _owed, access.c.failing_since <= at - patience, ~access.c.alarmed
    )
    late = late.order_by(access.c.contract).limit(_MARKED_MAX).with_for_update(skip_locked=True)
    marked = await tx.execute(
        update(access)
        .where(chosen(is_postgres(tx), access.c.contract, late))
        .values(alarmed=True)
        .returning(access.c.contract, access.c.last_error)
    )
    return marked.all()


def _row(event: Event, at: datetime) -> dict[str, Any]:
    blocked = event.type == ContractBlocked.TYPE
    body = ContractBlocked.of(event) if blocked else ContractUnblocked.of(event)
    if not body.contract or len(body.contract) > CONTRACT_MAX:
        raise Poison(f"{event.type} names no contract")
    return {
        "contract": body.contract,
        "revision": body.revision,
        "blocked": blocked,
        "reason": body.reason[:REASON_MAX],
        "balance_kopecks": body.balance_kopecks,
        "available_kopecks": body.available_kopecks,
        "occurred_at": body.occurred_at,
        "correlation_id": event.correlation_id,
        "due_at": at,
        "attempts": 0,
    }
