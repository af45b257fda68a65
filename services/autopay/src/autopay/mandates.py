"""Mandates: made, changed, paused, skipped and revoked, each act with its proof of consent.

A contract has one live mandate, by a unique index. What is revoked stays as a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, Date, Index, Integer, Row, Table, Text, Uuid

from autopay.autopay import Autopay
from autopay.consents import Consent
from autopay.mandate import Mandate, Terms
from shared.db import Instant, Tx, metadata

schema = metadata()
mandate = Table(
    "mandate",
    schema,
    Column("id", Uuid, primary_key=True),
    Column("contract", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("trigger", Text, nullable=False),
    Column("threshold_kopecks", BigInteger),
    Column("days_before", Integer),
    Column("day_of_month", Integer),
    Column("amount_kopecks", BigInteger),
    Column("cap_kopecks", BigInteger, nullable=False),
    Column("provider", Text, nullable=False),
    Column("method_ref", Text, nullable=False),
    Column("reserve_provider", Text),
    Column("reserve_ref", Text),
    Column("timezone", Text, nullable=False),
    Column("paused_until", Date),
    Column("skip_next", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("revoked_at", Instant),
    # The next day of the calendar that is to be charged for; of `day` only.
    Column("next_day", Date),
    # When it has to be looked at again without any event.
    Column("look_at", Instant),
)
_live = mandate.c.state == "active"
_looked = mandate.c.look_at.is_not(None)
Index(
    "uq_mandate_live", mandate.c.contract, unique=True, postgresql_where=_live, sqlite_where=_live
)
Index("ix_mandate_look", mandate.c.look_at, postgresql_where=_looked, sqlite_where=_looked)
Index("ix_mandate_created", mandate.c.created_at, mandate.c.id)


async def create(
    tx: Tx, autopay: Autopay, contract: str, terms: Terms, consent: Consent, at: datetime
) -> Mandate:
    """Make the mandate of a contract.

    Raises Invalid for impossible terms or a method that is not a live one of this contract,
    NotFound for an unknown or closed contract, Conflict where a live mandate stands.
    """
    raise NotImplementedError


async def change(
    tx: Tx, autopay: Autopay, this: UUID, terms: Terms, consent: Consent, at: datetime
) -> Mandate:
    """Put other terms in place; charges that do not fit them are dropped. Raises as `create`."""
    raise NotImplementedError


async def pause(
    tx: Tx, autopay: Autopay, this: UUID, until: date, consent: Consent, at: datetime
) -> Mandate:
    """Make no charges before a day of the mandate's zone; raises Invalid for a day not to come."""
    raise NotImplementedError


async def resume(tx: Tx, autopay: Autopay, this: UUID, consent: Consent, at: datetime) -> Mandate:
    """End a pause, and look at the last known balance."""
    raise NotImplementedError


async def skip(
    tx: Tx,
    autopay: Autopay,
    this: UUID,
    consent: Consent,
    at: datetime,
    charge_id: str | None = None,
) -> Mandate:
    """Leave out the named charge, or the next one.

    Raises NotFound for a charge of another mandate, Conflict for one that has left already.
    """
    raise NotImplementedError


async def revoke(
    tx: Tx, autopay: Autopay, this: UUID, consent: Consent, at: datetime, reason: str
) -> Mandate:
    """End a mandate for good, at once; its methods are removed. A repeat changes nothing."""
    raise NotImplementedError


async def find(tx: Tx, this: UUID) -> Mandate | None:
    """Return one mandate, live or revoked."""
    raise NotImplementedError


async def of_contract(tx: Tx, number: str) -> Mandate | None:
    """Return the live mandate of a contract."""
    raise NotImplementedError


async def page(
    tx: Tx,
    *,
    limit: int,
    contract: str | None = None,
    state: str | None = None,
    before: tuple[datetime, UUID] | None = None,
) -> Sequence[Mandate]:
    """Return mandates, newest first, that come after the given one in that order."""
    raise NotImplementedError


async def history(tx: Tx, this: UUID) -> Sequence[Row[Any]]:
    """Return the consent journal of a mandate, oldest first."""
    raise NotImplementedError
