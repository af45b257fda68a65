"""Revisions: who has written each operation of a manager, why, and when.

The money of a revision stands in the ledger. Here stands what the ledger has no word for, by the
id of the revision's payment: nothing is changed or deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Row, Table, Text, select

from core_billing import accounts, desk, postings
from core_billing.accounts import source
from core_billing.drafts import Reference
from core_billing.postings import payment
from core_billing.rules import Rules
from shared.db import Instant, Tx, metadata
from shared.rows import among

TRANSFER: Final = "transfer"
WRITE_OFF: Final = "write_off"
CREATE: Final = "create"

schema = metadata()
revision = Table(
    "revision",
    schema,
    Column("payment_id", BigInteger, primary_key=True, autoincrement=False),
    # move, amount, annul or restore; of a first revision what it is: transfer or write_off.
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    # The name of the manager's token.
    Column("manager", Text, nullable=False),
    Column("at", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class By:
    """Who does something to money, when, and under which id it is followed."""

    manager: str
    at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Said:
    """What a manager has said of one revision."""

    payment_id: int
    action: str
    reason: str
    manager: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Line:
    """One posting of a revision."""

    debit: str
    credit: str
    kopecks: int
    reverses: bool
    """Whether it takes back a line of the revision before."""


@dataclass(frozen=True, slots=True)
class Share:
    """What a revision has left on a contract, or in suspense, where there is no number."""

    number: str | None
    kopecks: int
    balance_kopecks: int | None
    """The contract's balance after it."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One revision of an operation as it was written."""

    id: int
    number: int
    amount_kopecks: int
    """What the ledger keeps as the payment's sum: zero for what only moves between contracts."""
    shares: tuple[Share, ...]
    lines: tuple[Line, ...]
    action: str
    reason: str
    manager: str | None
    """None where no manager wrote it: a provider's money, or an entry of the billing itself."""
    at: datetime

    @property
    def moved_kopecks(self) -> int:
        """Return how much money it has put somewhere, whatever its source gave for it."""
        return sum(share.kopecks for share in self.shares if share.kopecks > 0)


@dataclass(frozen=True, slots=True)
class Chain:
    """All revisions of one operation, in their order."""

    reference: Reference
    paid_at: datetime
    revisions: tuple[Revision, ...]

    @property
    def id(self) -> int:
        """Return the id of the operation: that of its first revision."""
        return self.revisions[0].id

    @property
    def newest(self) -> Revision:
        """Return the revision that stands."""
        return self.revisions[-1]

    @property
    def standing(self) -> Revision:
        """Return the last revision that left money anywhere: of an annulled one, that before."""
        left = [one for one in self.revisions if one.shares]
        return left[-1] if left else self.newest


def shown(rules: Rules, moment: datetime) -> str:
    """Write a moment for people, by the billing's clock."""
    return f"{moment.astimezone(rules.zone):%d.%m.%Y %H:%M}"


async def add(tx: Tx, payment_id: int, action: str, reason: str, by: By) -> None:
    """Write down who has written a revision, and why."""
    said = Said(payment_id, action, reason, by.manager, by.at)
    await tx.execute(revision.insert().values(asdict(said)))


async def find_all(tx: Tx, payment_ids: Collection[int]) -> dict[int, Said]:
    """Return what was said of these revisions, by the ids of their payments."""
    if not payment_ids:
        return {}
    mine = among(tx, revision.c.payment_id, payment_ids)
    return {row.payment_id: Said(*row) for row in await tx.execute(select(revision).where(mine))}


async def find(tx: Tx, payment_id: int) -> Chain | None:
    """Return the operation that a revision with this id belongs to, if there is one."""
    columns = select(source.c.name, payment.c.external_id)
    named = columns.join(payment, payment.c.source_id == source.c.id)
    row = (await tx.execute(named.where(payment.c.id == payment_id))).one_or_none()
    return None if row is None else await chain(tx, (row.name, row.external_id))


async def chain(tx: Tx, reference: Reference) -> Chain | None:
    """Return all revisions of an operation; none where it is unknown."""
    rows = [r for r in await postings.lines_of(tx, [reference[1]]) if r.source == reference[0]]
    if not rows:
        return None
    said = await find_all(tx, {row.id for row in rows})
    first = (await desk.find_all(tx, [rows[0].id])).get(rows[0].id)
    if first is not None:
        note = Said(first.payment_id, CREATE, first.comment, first.manager, rows[0].registered_at)
        said[first.payment_id] = note
    grouped = [list(lines) for _, lines in groupby(rows, key=lambda row: row.revision)]
    made = tuple(_revision(lines, said.get(lines[0].id)) for lines in grouped)
    return Chain(reference, rows[0].paid_at, made)


def _revision(rows: Sequence[Row[Any]], said: Said | None) -> Revision:
    one = rows[0]
    return Revision(
        id=one.id,
        number=one.revision,
        amount_kopecks=one.amount_kopecks,
        shares=tuple(_share(row) for row in rows if row.line > 0),
        lines=tuple(Line(row.debit, row.credit, row.kopecks, row.line < 0) for row in rows),
        action=CREATE if said is None else said.action,
        reason="" if said is None else said.reason,
        manager=None if said is None else said.manager,
        at=one.registered_at,
    )


def _share(row: Row[Any]) -> Share:
    taken = row.debit_id != row.account_id
    name, balance = (row.debit, row.debit_balance) if taken else (row.credit, row.credit_balance)
    number = accounts.number_of(name) if name.startswith(accounts.CONTRACT) else None
    return Share(number, -row.kopecks if taken else row.kopecks, balance)
