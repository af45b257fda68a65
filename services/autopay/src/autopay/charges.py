"""Charges: each planned, announced, asked for once, and concluded by what its gateway says.

::

    planned ──▶ announced ──▶ requested ──▶ succeeded
       │            │             ├───────▶ failed
       └────────────┴─▶ dropped   └─▶ unclear ──▶ succeeded, failed

A contract has at most one charge that is not concluded, by a unique index. An unclear one is still
in flight: only an event concludes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID, uuid5

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, Table, Text, Uuid, false

from autopay.mandate import MethodName
from shared.db import Instant, Tx, metadata

_IDS: Final = UUID("c1b7d2f0-5a3e-5c9b-9b0e-7f1d6f0a4e35")


class State(StrEnum):
    """Where a charge stands."""

    PLANNED = "planned"
    ANNOUNCED = "announced"
    REQUESTED = "requested"
    UNCLEAR = "unclear"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    DROPPED = "dropped"


UPCOMING: Final = (State.PLANNED, State.ANNOUNCED)
IN_FLIGHT: Final = (State.REQUESTED, State.UNCLEAR)
OPEN: Final = UPCOMING + IN_FLIGHT

schema = metadata()
charge = Table(
    "charge",
    schema,
    Column("id", Text, primary_key=True),
    Column("contract", Text, nullable=False),
    Column("occasion", Text, nullable=False),
    Column("number", Integer, nullable=False),
    # None for a charge that came back to us without being known.
    Column("mandate_id", Uuid),
    Column("why", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("method_ref", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("announce_at", Instant),
    Column("charge_at", Instant, nullable=False),
    Column("not_after", Instant),
    Column("created_at", Instant, nullable=False),
    Column("announced_at", Instant),
    Column("requested_at", Instant),
    Column("concluded_at", Instant),
    Column("credited_at", Instant),
    Column("reason", Text, nullable=False, server_default=""),
    Column("failure", Text),
    Column("correlation_id", Text, nullable=False),
    Column("alarmed", Boolean, nullable=False, server_default=false()),
)
_open = charge.c.state.in_([str(state) for state in OPEN])
_planned = charge.c.state == str(State.PLANNED)
_upcoming = charge.c.state.in_([str(state) for state in UPCOMING])
_requested = charge.c.state == str(State.REQUESTED)
Index(
    "uq_charge_open",
    charge.c.contract,
    unique=True,
    postgresql_where=_open,
    sqlite_where=_open,
)
Index("ix_charge_announce", charge.c.announce_at, postgresql_where=_planned, sqlite_where=_planned)
Index("ix_charge_due", charge.c.charge_at, postgresql_where=_upcoming, sqlite_where=_upcoming)
Index("ix_charge_unclear", charge.c.not_after, postgresql_where=_requested, sqlite_where=_requested)
Index("ix_charge_contract", charge.c.contract, charge.c.created_at)
Index("ix_charge_created", charge.c.created_at, charge.c.id)


@dataclass(frozen=True, slots=True)
class Charge:
    """One charge, whatever became of it; moments are in UTC."""

    id: str
    contract: str
    occasion: str
    """Which occasion it is for: `balance:<crossing>`, `fee:<date>`, `day:<date>`."""
    number: int
    """Of the charges for this occasion, from 1."""
    mandate_id: UUID | None
    why: str
    """balance, fee or day."""
    method: MethodName
    amount_kopecks: int
    state: State
    announce_at: datetime | None
    """When it is said; None where it is made without notice."""
    charge_at: datetime
    not_after: datetime | None
    created_at: datetime
    announced_at: datetime | None
    requested_at: datetime | None
    concluded_at: datetime | None
    credited_at: datetime | None
    """When the news of its money on the contract came."""
    reason: str
    failure: str | None
    """The class of a failure: soft, hard, shop or stale."""
    correlation_id: str


def charge_id(contract: str, occasion: str, number: int) -> str:
    """Return the id of a charge; the same words always give the same one."""
    return str(uuid5(_IDS, f"{contract}\x1f{occasion}\x1f{number}"))


async def find(tx: Tx, this: str) -> Charge | None:
    """Return one charge, or None."""
    raise NotImplementedError


async def page(
    tx: Tx,
    *,
    limit: int,
    contract: str | None = None,
    mandate: UUID | None = None,
    state: str | None = None,
    before: tuple[datetime, str] | None = None,
) -> Sequence[Charge]:
    """Return charges, newest first, that come after the given one in that order."""
    raise NotImplementedError


async def upcoming(tx: Tx, contract: str) -> Charge | None:
    """Return the charge of a contract that is planned, announced or in flight."""
    raise NotImplementedError
