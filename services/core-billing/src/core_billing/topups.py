"""Top-ups: what a subscriber ordered in the cabinet, and what became of the order.

An order moves no money. It is an intention with an id, which the signed link carries to the
gateway and the provider's payment brings back to the ledger: a payment with the order's id is the
only proof that money came. One order has one payment: after a refusal the next try is a new order.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Row,
    Table,
    Text,
    Uuid,
    delete,
    func,
    select,
    update,
)

from core_billing.postings import payment
from shared import log
from shared.db import Database, Instant, Tx, metadata, transaction
from shared.errors import Text as Words
from shared.errors import TooMany, invalid
from shared.web import forms
from shared.web.formats import money

CARD: Final = "gateway-yookassa"
SBP: Final = "gateway-sbp"
PAY_PATHS: Final[Mapping[str, str]] = {CARD: "/yookassa/pay", SBP: "/sbp/pay"}
"""The gateways that take top-ups, and where."""
LINK_AGE_MAX: Final = timedelta(hours=1)
"""As long as the provider waits for a payer; a later link could only open a canceled payment."""
PER_HOUR_MAX: Final = 30

SAME_CODE: Final = timedelta(minutes=20)
"""For so long a second top-up by SBP of one sum is the first one: its code is still good, and two
could both be paid."""

KEPT: Final = timedelta(days=90)
_PRUNE_MAX: Final = 10_000

State = Literal["waiting", "overdue", "credited", "held", "canceled"]
"""Overdue: nothing was heard while the provider would have waited. Held: the money has come and a
person must look at it before it goes to the contract."""

schema = metadata()
topup = Table(
    "topup",
    schema,
    Column("order_id", Uuid, primary_key=True),
    Column("contract", Text, nullable=False),
    Column("amount_kopecks", BigInteger, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("gateway", Text, nullable=False, server_default=CARD),
    Column("created_at", Instant, nullable=False),
    Column("canceled_at", Instant),
    Column("agreed_version", Text),
    Column("agreed_address", Text),
)
Index("ix_topup_contract", topup.c.contract, topup.c.created_at)
Index("ix_topup_created_at", topup.c.created_at)


@dataclass(frozen=True, slots=True)
class Topup:
    """An order; `canceled_at` is when the provider said that nothing would be taken."""

    order_id: UUID
    contract: str
    amount_kopecks: int
    correlation_id: str
    created_at: datetime
    canceled_at: datetime | None
    gateway: str = CARD
    """Who takes it."""
    agreed_version: str | None = None
    """The text under which the subscriber had their card saved; None where they did not."""
    agreed_address: str | None = None
    """The IP address they agreed from, where it is known."""


class Agreed(NamedTuple):
    """A subscriber's consent to have the card of a top-up saved: to which text, from where."""

    version: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order, and how many kopecks have come for it."""

    state: State
    received_kopecks: int


@dataclass(frozen=True, slots=True)
class Amounts:
    """The smallest and the greatest sum of one top-up, in kopecks."""

    least_kopecks: int = 100
    most_kopecks: int = 10_000_000


def amount(text: str, limits: Amounts) -> int:
    """Read a typed amount as kopecks; raises Invalid that names the field and what to do."""
    kopecks = forms.amount(text).kopecks
    if kopecks < limits.least_kopecks:
        raise invalid(
            "amount",
            f"Not less than {money(limits.least_kopecks, 'en')}",
            f"Не меньше {money(limits.least_kopecks, 'ru')}",
        )
    if kopecks > limits.most_kopecks:
        raise invalid(
            "amount",
            f"Not more than {money(limits.most_kopecks, 'en')} at once: pay in parts",
            f"Не больше {money(limits.most_kopecks, 'ru')} за один раз: заплатите по частям",
        )
    return kopecks


async def order(
    tx: Tx,
    contract: str,
    amount_kopecks: int,
    at: datetime,
    gateway: str = CARD,
    agreed: Agreed | None = None,
) -> Topup:
    """Write an order down; raises TooMany after 30 of them for one contract within an hour.

    With `agreed` the card it is paid with is saved. By SBP the order that waits for the same sum is
    returned, because its code is still good.
    """
    if gateway == SBP and (before := await _waiting(tx, contract, amount_kopecks, at)) is not None:
        return before
    recent = (topup.c.contract == contract) & (topup.c.created_at > at - timedelta(hours=1))
    if (await tx.execute(select(func.count()).where(recent))).scalar_one() >= PER_HOUR_MAX:
        raise TooMany(
            Words("Too many top-ups in an hour", "Слишком много пополнений за час"),
            retry_after_seconds=600,
        )
    correlation_id = log.correlation_id() or log.new_correlation_id()
    consent = agreed or (None, None)
    made = Topup(uuid4(), contract, amount_kopecks, correlation_id, at, None, gateway, *consent)
    await tx.execute(topup.insert().values(**_row(made)))
    return made


async def _waiting(tx: Tx, contract: str, amount_kopecks: int, at: datetime) -> Topup | None:
    same = (topup.c.contract == contract) & (topup.c.amount_kopecks == amount_kopecks)
    recent = (topup.c.created_at > at - SAME_CODE) & (topup.c.gateway == SBP)
    newest = select(topup).where(same & recent).order_by(topup.c.created_at.desc()).limit(1)
    row = (await tx.execute(newest)).one_or_none()
    if row is None:
        return None
    found = _topup(row)
    return found if (await outcome(tx, found, at)).state == "waiting" else None


async def find(tx: Tx, order_id: UUID) -> Topup | None:
    """Return an order; whose it is, is for the caller to check."""
    found = await tx.execute(select(topup).where(topup.c.order_id == order_id))
    row = found.one_or_none()
    return None if row is None else _topup(row)


async def outcome(tx: Tx, ordered: Topup, at: datetime) -> Outcome:
    """Say what became of an order. Money that came counts, whatever was said before it came."""
    newest = (
        select(payment.c.suspense_reason, payment.c.amount_kopecks)
        .where(payment.c.order_id == str(ordered.order_id))
        .order_by(payment.c.revision.desc())
        .limit(1)
    )
    paid = (await tx.execute(newest)).one_or_none()
    if paid is not None:
        state: State = "credited" if paid.suspense_reason is None else "held"
        return Outcome(state, paid.amount_kopecks)
    if ordered.canceled_at is not None:
        return Outcome("canceled", 0)
    return Outcome("waiting" if at < ordered.created_at + LINK_AGE_MAX else "overdue", 0)


async def mark_canceled(tx: Tx, order_ids: Collection[str], at: datetime) -> None:
    """The provider says that nothing will be taken for these orders; foreign ids are left out."""
    ids = [found for order_id in order_ids if (found := _uuid(order_id)) is not None]
    if not ids:
        return
    mine = topup.c.order_id.in_(ids) & topup.c.canceled_at.is_(None)
    await tx.execute(update(topup).where(mine).values(canceled_at=at))


async def prune(db: Database, at: datetime) -> int:
    """Delete orders made more than 90 days ago, at most 10 000; return how many."""
    old = select(topup.c.order_id).where(topup.c.created_at < at - KEPT).limit(_PRUNE_MAX)
    async with transaction(db) as tx:
        return (await tx.execute(delete(topup).where(topup.c.order_id.in_(old)))).rowcount


def _uuid(text: str) -> UUID | None:
    # Orders of other systems have ids of their own making; they are no top-ups of ours.
    try:
        return UUID(text)
    except ValueError:
        return None


def _row(made: Topup) -> dict[str, Any]:
    return {name: getattr(made, name) for name in Topup.__slots__}


def _topup(row: Row[Any]) -> Topup:
    return Topup(*(getattr(row, name) for name in Topup.__slots__))
