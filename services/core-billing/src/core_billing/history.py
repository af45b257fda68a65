"""What a contract's subscriber sees: its entries, newest first, each with the balance after it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Column, Row, Select, literal, select, tuple_

from core_billing import accounts, refund_rows
from core_billing.accounts import source
from core_billing.contracts import Contract
from core_billing.postings import payment, posting
from shared.db import Tx
from shared.errors import invalid

PAGE_MAX = 200
KINDS: Final = frozenset(
    (
        *("payment", "refund", "opening", "fee", "transfer", "distribution", "write_off"),
        *("reversal", "correction"),
    )
)
PROMISE: Final = "promise"
"""The label of the fee for a promised payment."""

_CURSOR = re.compile(r"(\d{1,18})\.(-?\d{1,5})", re.ASCII)


class Side(NamedTuple):
    """One side of a posting: which account, the balance it then had, and what it does to it."""

    account: Column[int]
    balance: Column[int]
    sign: int


_CREDITED = Side(posting.c.credit_id, posting.c.credit_balance, 1)
_DEBITED = Side(posting.c.debit_id, posting.c.debit_balance, -1)


class Cursor(NamedTuple):
    """The last entry of the page before."""

    payment_id: int
    line: int

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Read what `Entry.id` wrote; raises Invalid for anything else."""
        match = _CURSOR.fullmatch(text)
        if match is None:
            raise invalid(
                "cursor",
                "take `next_cursor` of the page before",
                "возьмите `next_cursor` предыдущей страницы",
            )
        return cls(int(match[1]), int(match[2]))


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement of a contract's money, in kopecks."""

    cursor: Cursor
    number: str
    amount_kopecks: int
    balance_kopecks: int
    kind: str
    """payment, refund, opening, fee, transfer, distribution, write_off, reversal, correction."""
    source: str
    external_id: str
    revision: int
    paid_at: datetime
    registered_at: datetime
    refunded: str | None = None
    """The provider's id of the payment, for an entry of its refund."""

    @property
    def is_refund(self) -> bool:
        """Say whether a refund has moved this, in whichever direction."""
        return self.source.startswith((accounts.REFUND, accounts.REQUEST))

    @property
    def provider_payment_id(self) -> str | None:
        """Return the provider's id of the payment whose money has moved."""
        if self.provider is None:
            return None
        return self.refunded if self.is_refund else self.external_id

    @property
    def provider(self) -> str | None:
        """Return the provider's account where a provider brought the money or sends it back."""
        return accounts.provider_of(self.source)

    @property
    def fee(self) -> str | None:
        """Return the label of what a fee is for."""
        is_fee = self.source.startswith(accounts.FEE)
        return self.source.removeprefix(accounts.FEE) if is_fee else None

    @property
    def word(self) -> str:
        """Return the word for people: closer than the kind where a subscriber would ask."""
        if self.kind == "payment" and self.source.startswith(accounts.CASH):
            return "cash"
        if self.kind == "fee" and self.fee == PROMISE:
            return "promise_fee"
        return self.kind if self.kind in KINDS else "other"

    @property
    def reference(self) -> str:
        """Return the operation's business reference."""
        suffix = f"#{self.revision}" if self.revision > 1 else ""
        return f"{self.source}:{self.external_id}{suffix}"

    @property
    def id(self) -> str:
        """Return the entry's id, which is also the cursor after it."""
        return f"{self.cursor.payment_id}.{self.cursor.line}"


async def entries(
    tx: Tx, contracts: Sequence[Contract], after: Cursor | None, limit: int
) -> list[Entry]:
    """Return at most `limit` entries of these contracts that follow the cursor, newest first."""
    found: list[Entry] = []
    for contract in contracts:
        # One by one: each is read from its index in order, however many entries it has.
        for side in (_CREDITED, _DEBITED):
            rows = await tx.execute(_page(side, contract.id, after, limit))
            found += [read(row, contract.number, side.sign) for row in rows]
    page = sorted(found, key=lambda entry: entry.cursor, reverse=True)[:limit]
    return await with_payments(tx, page)


async def with_payments(tx: Tx, page: Sequence[Entry]) -> list[Entry]:
    """Name the payments of the refunds on a page; a page without any asks nothing."""
    ids = {entry.external_id for entry in page if entry.is_refund}
    if not ids:
        return list(page)
    known = await refund_rows.payments_of(tx, ids)
    return [
        replace(entry, refunded=known.get((entry.provider or "", entry.external_id)))
        if entry.is_refund
        else entry
        for entry in page
    ]


def _page(side: Side, contract_id: int, after: Cursor | None, limit: int) -> Select[Any]:
    place = (posting.c.payment_id, posting.c.line)
    statement = (
        select(
            *place,
            posting.c.amount_kopecks,
            side.balance.label("balance"),
            source.c.name.label("source"),
            payment.c.external_id,
            payment.c.revision,
            payment.c.paid_at,
            payment.c.registered_at,
        )
        .join(payment, payment.c.id == posting.c.payment_id)
        .join(source, source.c.id == payment.c.source_id)
        .where(side.account == contract_id, side.balance.is_not(None))
        .order_by(*(column.desc() for column in place))
        .limit(limit)
    )
    if after is None:
        return statement
    return statement.where(tuple_(*place) < tuple_(*(literal(part) for part in after)))


def read(row: Row[Any], number: str, sign: int) -> Entry:
    """Return the entry of a row; `sign` is what its side of the posting does to the contract."""
    return Entry(
        cursor=Cursor(row.payment_id, row.line),
        number=number,
        amount_kopecks=sign * row.amount_kopecks,
        balance_kopecks=row.balance,
        kind=_kind(row),
        source=row.source,
        external_id=row.external_id,
        revision=row.revision,
        paid_at=row.paid_at,
        registered_at=row.registered_at,
    )


def _kind(row: Row[Any]) -> str:
    if row.line < 0:
        return "reversal"
    if row.revision > 1:
        return "correction"
    if row.source.startswith((accounts.REFUND, accounts.REQUEST)):
        return "refund"
    if accounts.is_real(row.source):
        return "payment"
    return "fee" if row.source.startswith(accounts.FEE) else str(row.source).replace("-", "_")
