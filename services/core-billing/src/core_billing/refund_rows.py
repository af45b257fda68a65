"""The table of refunds: which payment each belongs to, and what has become of it.

What a refund has moved stands in the ledger: what was taken for it under
``refund-request:<provider>`` with our id, the refund itself under ``refund:<provider>`` with the
provider's.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Row,
    Table,
    Text,
    UniqueConstraint,
    or_,
    select,
    update,
)

from core_billing import accounts
from core_billing.drafts import Reference
from shared.db import Instant, Tx, metadata
from shared.rows import among

schema = metadata()
refund = Table(
    "refund",
    schema,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("provider", Text, nullable=False),
    Column("provider_payment_id", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    # Ours, where it was asked for here; the provider's, once it has been sent.
    Column("refund_id", Text, unique=True),
    Column("provider_refund_id", Text),
    Column("reason", Text, nullable=False),
    Column("requested_at", Instant),
    Column("failed_at", Instant),
    Column("succeeded_at", Instant),
    # Of whoever asked for it here; asked for again until a gateway has answered.
    Column("correlation_id", Text),
    Column("say_at", Instant),
    Column("says", Integer, nullable=False, server_default="1"),
    UniqueConstraint("provider_refund_id", "provider"),
)
_unanswered = refund.c.say_at.is_not(None)
Index("ix_refund_provider_payment_id", refund.c.provider_payment_id)
Index("ix_refund_say_at", refund.c.say_at, postgresql_where=_unanswered, sqlite_where=_unanswered)


class State(StrEnum):
    """What has become of a refund."""

    REQUESTED = "requested"
    FAILED = "failed"
    """It will not happen: what was taken for it has been given back."""
    SUCCEEDED = "succeeded"


class Refund(NamedTuple):
    """A refund as it is known here."""

    id: int
    provider: str
    provider_payment_id: str
    amount_kopecks: int
    refund_id: str | None
    provider_refund_id: str | None
    reason: str
    requested_at: datetime | None
    failed_at: datetime | None
    succeeded_at: datetime | None
    correlation_id: str | None
    say_at: datetime | None
    says: int
    """How often it was asked for."""

    @property
    def state(self) -> State:
        """Return what has become of it; money that has gone outweighs a failure said before."""
        if self.succeeded_at is not None:
            return State.SUCCEEDED
        return State.REQUESTED if self.failed_at is None else State.FAILED

    @property
    def payment(self) -> Reference:
        """Return the reference of the payment whose money goes back."""
        return accounts.PAYMENT + self.provider, self.provider_payment_id

    @property
    def operations(self) -> tuple[Reference, ...]:
        """Return the references under which the ledger knows what it has moved."""
        asked = (accounts.REQUEST + self.provider, self.refund_id or "")
        sent = (accounts.REFUND + self.provider, self.provider_refund_id or "")
        return tuple(reference for reference in (asked, sent) if reference[1])


async def add(tx: Tx, **columns: Any) -> None:
    """Write a new refund down."""
    await tx.execute(refund.insert().values(**columns))


async def find(
    tx: Tx, provider: str, refund_id: str | None, provider_refund_id: str | None
) -> Sequence[Refund]:
    """Return the refunds with one of these ids, ours or the provider's: one row, in peace."""
    ids = ((refund.c.refund_id, refund_id), (refund.c.provider_refund_id, provider_refund_id))
    known = [column == given for column, given in ids if given is not None]
    if not known:
        return []
    mine = (refund.c.provider == provider) & or_(*known)
    return [_read(row) for row in await tx.execute(select(refund).where(mine))]


async def of_payments(tx: Tx, external_ids: Collection[str]) -> Sequence[Refund]:
    """Return the refunds of the payments with these ids at any provider, oldest first."""
    mine = among(tx, refund.c.provider_payment_id, external_ids)
    return [
        _read(row) for row in await tx.execute(select(refund).where(mine).order_by(refund.c.id))
    ]


async def payments_of(tx: Tx, ids: Collection[str]) -> dict[tuple[str, str], str]:
    """Return the provider's id of the payment by provider and id of a refund, ours or theirs."""
    mine = or_(among(tx, refund.c.refund_id, ids), among(tx, refund.c.provider_refund_id, ids))
    found: dict[tuple[str, str], str] = {}
    for one in map(_read, await tx.execute(select(refund).where(mine))):
        for own_id in filter(None, (one.refund_id, one.provider_refund_id)):
            found[one.provider, own_id] = one.provider_payment_id
    return found


async def unanswered(tx: Tx, at: datetime, limit: int) -> Sequence[Refund]:
    """Lock and return the refunds that are due to be asked for again, those longest due first."""
    due = select(refund).where(refund.c.say_at <= at).order_by(refund.c.say_at).limit(limit)
    return [_read(row) for row in await tx.execute(due.with_for_update(skip_locked=True))]


async def asked_again(tx: Tx, known: Refund, say_at: datetime) -> None:
    """Write down that a refund was asked for once more, and when it will be again."""
    again = {"say_at": say_at, "says": known.says + 1}
    await tx.execute(update(refund).where(refund.c.id == known.id).values(again))


async def change(tx: Tx, refund_id: int, **columns: Any) -> None:
    """Write down how a refund has ended, by the id of its row; nobody is asked for it any more."""
    ended = {"say_at": None, **columns}
    await tx.execute(update(refund).where(refund.c.id == refund_id).values(ended))


def _read(row: Row[Any]) -> Refund:
    return Refund._make(row)
