"""What is asked of payments, as conditions of a statement.

A payment is looked at through its first revision, which holds what corrections never change, and
its newest one, where there is a later. The few that were ever corrected have an index of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Subquery,
    and_,
    case,
    func,
    not_,
    or_,
    select,
    text,
    union,
)

from core_billing import accounts
from core_billing.accounts import source
from core_billing.desk import desk
from core_billing.payment_filter import Filter, Kind, Status
from core_billing.postings import IS_CORRECTION, payment, posting
from core_billing.revisions import revision
from shared.db import Tx

Condition = ColumnElement[bool]

first = payment.alias("first")
_own = (payment.c.external_id, payment.c.source_id)
_above = payment.alias("above")
later = (
    select(payment)
    .where(text(f"payment.{IS_CORRECTION}"))
    .where(
        ~select(_above.c.id)
        .where(_above.c.external_id == payment.c.external_id)
        .where(_above.c.source_id == payment.c.source_id)
        .where(_above.c.revision > payment.c.revision, text(f"above.{IS_CORRECTION}"))
        .exists()
    )
    .subquery("later")
)
"""The newest revision of each payment that was ever corrected."""

newest_id: Final = func.coalesce(later.c.id, first.c.id)
reason_now = case((later.c.id.is_not(None), later.c.suspense_reason), else_=first.c.suspense_reason)
"""Why all or part of it is held in suspense, where it is."""
_PROVIDERS: Final = source.c.name.startswith(accounts.PAYMENT)
_KINDS: Final[dict[Kind, Condition]] = {
    Kind.ONLINE: _PROVIDERS,
    Kind.CARD: _PROVIDERS,
    Kind.SBP: _PROVIDERS,
    Kind.CASH: source.c.name.startswith(accounts.CASH),
    Kind.CASHLESS: source.c.name.startswith(accounts.BANK),
    Kind.OPENING: source.c.name == accounts.OPENING,
    Kind.TRANSFER: source.c.name == accounts.TRANSFER,
    Kind.WRITE_OFF: source.c.name == accounts.WRITE_OFF,
}
_METHODS: Final = {Kind.CARD: "bank_card", Kind.SBP: "sbp"}


def amount(kind: Kind | None) -> ColumnElement[int]:
    """Return the sum that stands now, in kopecks; of a transfer, how much it has moved."""
    if kind is not Kind.TRANSFER:
        return func.coalesce(later.c.amount_kopecks, first.c.amount_kopecks)
    moved = select(func.sum(posting.c.amount_kopecks)).where(
        posting.c.payment_id == newest_id,
        posting.c.line > 0,
        posting.c.credit_balance.is_not(None),
    )
    return func.coalesce(moved.correlate(first, later).scalar_subquery(), 0)


async def sources(tx: Tx, asked: Filter) -> list[int]:
    """Return the ids of the sources that can have brought what is asked for; often none."""
    mine = []
    if asked.provider is not None:
        mine.append(source.c.name == accounts.PAYMENT + asked.provider)
    elif asked.external_id is not None:
        mine.append(_PROVIDERS)
    elif asked.kind is None:
        mine.append(or_(*(source.c.name.startswith(prefix) for prefix in accounts.REAL)))
    if asked.kind is not None:
        mine.append(_KINDS[asked.kind])
    return list((await tx.execute(select(source.c.id).where(*mine))).scalars())


def conditions(asked: Filter) -> Iterator[Condition]:
    """Yield what must hold of `first` and `later`, joined, beside its source."""
    yield first.c.revision == 1
    yield from _plain(asked)
    yield from _between(asked)
    if asked.status is not None:
        yield from _of_status(asked.status, amount(asked.kind))
    if asked.contract_id is not None:
        yield from _on_contract(asked.contract_id, amount(asked.kind))
    if asked.manager is not None:
        yield first.c.id.in_(_by_manager(asked.manager))
    if asked.text is not None:
        yield first.c.id.in_(_with_text(asked.text))


def _plain(asked: Filter) -> Iterator[Condition]:
    noted = select(desk.c.payment_id)
    method = _METHODS.get(asked.kind) if asked.kind is not None else None
    for column, wanted in (
        (first.c.method, method),
        (first.c.external_id, asked.external_id),
        (first.c.method, asked.method),
        (func.coalesce(later.c.category, first.c.category), asked.category),
        (first.c.order_id, asked.order_id),
    ):
        if wanted is not None:
            yield column == wanted
    for number, wanted in (
        (desk.c.receipt_number, asked.receipt_number),
        (desk.c.payment_order_number, asked.payment_order_number),
    ):
        if wanted is not None:
            yield first.c.id.in_(noted.where(number == wanted))


def _between(asked: Filter) -> Iterator[Condition]:
    sum_now: ColumnElement[Any] = amount(asked.kind)
    for column, low, high in (
        (first.c.paid_at, asked.paid_from, asked.paid_before),
        (first.c.registered_at, asked.registered_from, asked.registered_before),
    ):
        if low is not None:
            yield column >= low
        if high is not None:
            yield column < high
    if asked.amount_from is not None:
        yield sum_now >= asked.amount_from
    if asked.amount_to is not None:
        yield sum_now <= asked.amount_to


def _of_status(status: Status, sum_now: ColumnElement[int]) -> Iterator[Condition]:
    corrected = later.c.id.is_not(None)
    held = reason_now.is_not(None)
    if status is Status.ANNULLED:
        yield and_(corrected, sum_now == 0)
    elif status is Status.CORRECTED:
        yield and_(corrected, sum_now != 0)
    elif status is Status.SUSPENSE:
        # Those that were ever held are few, and have an index.
        yield _same(select(*_own).where(payment.c.suspense_reason.is_not(None)).subquery("held"))
        yield held
    else:
        yield and_(not_(held), or_(not_(corrected), sum_now != 0))


def _same(some: Subquery) -> Condition:
    """Hold where a revision of the payment is among some."""
    mine = some.c.external_id == first.c.external_id, some.c.source_id == first.c.source_id
    return select(some.c.external_id).where(*mine).exists()


def _on_contract(contract_id: int, sum_now: ColumnElement[int]) -> Iterator[Condition]:
    """Hold for what the contract holds; of what is annulled, what was taken from it then.

    Its entries are read from their indexes first: they are few beside all payments.
    """
    touched = union(
        *(
            select(posting.c.payment_id)
            .join(payment, payment.c.id == posting.c.payment_id)
            .with_only_columns(*_own)
            .where(side == contract_id, balance.is_not(None))
            for side, balance in (
                (posting.c.credit_id, posting.c.credit_balance),
                (posting.c.debit_id, posting.c.debit_balance),
            )
        )
    ).subquery("touched")
    yield _same(touched)
    mine = or_(posting.c.credit_id == contract_id, posting.c.debit_id == contract_id)
    yield (
        select(posting.c.payment_id)
        .where(posting.c.payment_id == newest_id, mine)
        .where(or_(posting.c.line > 0, sum_now == 0))
        .correlate(first, later)
        .exists()
    )


def _by_manager(name: str) -> Any:
    return union(
        select(desk.c.payment_id).where(desk.c.manager == name),
        select(revision.c.payment_id).where(revision.c.manager == name),
    )


def _with_text(said: str) -> Any:
    """Select first revisions by an id, or by a part of what a manager wrote beside them."""
    parts = (desk.c.receipt_number, desk.c.payment_order_number, desk.c.comment)
    alike = or_(*(column.icontains(said, autoescape=True) for column in parts))
    same = select(payment.c.id)
    return union(
        select(desk.c.payment_id).where(alike),
        same.where(payment.c.external_id == said),
        same.where(payment.c.order_id == said),
    )
