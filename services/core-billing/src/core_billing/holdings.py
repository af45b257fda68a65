"""Who holds a payment's money now: its newest revision, less what refunds have taken."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from core_billing import accounts, postings, refund_rows
from core_billing.drafts import Reference
from core_billing.postings import payment
from core_billing.refund_rows import Refund
from shared.db import Tx
from shared.rows import among

Holder = str | None
"""The name of a contract's account, or None for suspense."""


@dataclass(frozen=True, slots=True)
class Holding:
    """A payment's money by holder, in kopecks."""

    revision: int
    shares: Mapping[Holder, int]
    """As the newest revision has it."""
    rests: Mapping[Holder, int]
    """What refunds have left of it, never below zero."""
    refunds: Sequence[Refund] = ()

    @property
    def rest_kopecks(self) -> int:
        """Return what may still be refunded."""
        return sum(self.rests.values())

    def split(self, kopecks: int) -> dict[Holder, int]:
        """Say from whom how much is taken; what is above the rest, by the original shares."""
        if kopecks <= self.rest_kopecks:
            return pro_rata(kopecks, self.rests)
        above = pro_rata(kopecks - self.rest_kopecks, self.shares)
        split = {holder: self.rests[holder] + above.get(holder, 0) for holder in self.shares}
        return {holder: taken for holder, taken in split.items() if taken}


def pro_rata(kopecks: int, weights: Mapping[Holder, int]) -> dict[Holder, int]:
    """Split kopecks by weight, to the kopeck: the largest remainders get one more, then the first.

    Holders of nothing are left out. Nobody gets more than their weight unless there is more to
    split than all weigh. Raises ValueError where nobody weighs anything.
    """
    total = sum(weights.values())
    if total <= 0:
        raise ValueError("nobody holds anything")
    floors = {holder: kopecks * weight // total for holder, weight in weights.items()}
    remainders = {holder: kopecks * weight % total for holder, weight in weights.items()}
    left = kopecks - sum(floors.values())
    for holder in sorted(weights, key=lambda one: -remainders[one])[:left]:
        floors[holder] += 1
    return {holder: share for holder, share in floors.items() if share}


async def lock(tx: Tx, references: Collection[Reference]) -> None:
    """Let nobody else refund or correct these payments before this transaction ends.

    The row of the first revision stands for the payment; who only posts payments never locks it.
    """
    ids = [external_id for _, external_id in references]
    mine = among(tx, payment.c.external_id, ids) & (payment.c.revision == 1)
    await tx.execute(select(payment.c.id).where(mine).order_by(payment.c.id).with_for_update())


async def find(tx: Tx, references: Collection[Reference]) -> dict[Reference, Holding]:
    """Return the holdings of the known ones of these payments."""
    external_ids = {external_id for _, external_id in references}
    refunds = await refund_rows.of_payments(tx, external_ids)
    moved = {key for one in refunds for _, key in one.operations}
    lines = _newest(await postings.lines_of(tx, external_ids | moved))
    return {
        reference: _holding(lines, reference, [one for one in refunds if one.payment == reference])
        for reference in references
        if reference in lines
    }


def taken_from(lines: Sequence[Row[Any]]) -> dict[Holder, int]:
    """Return who gave how much, by the lines of what was taken for a refund."""
    return {_holder(row.debit): row.kopecks for row in lines}


def _newest(rows: Sequence[Row[Any]]) -> dict[Reference, list[Row[Any]]]:
    """Return the lines of each operation's newest revision; the rows come in their order."""
    found: dict[Reference, list[Row[Any]]] = {}
    for row in rows:
        lines = found.setdefault((row.source, row.external_id), [])
        if lines and lines[0].revision != row.revision:
            lines.clear()
        lines.append(row)
    return found


def _holding(
    lines: Mapping[Reference, list[Row[Any]]], reference: Reference, refunds: Sequence[Refund]
) -> Holding:
    shares: dict[Holder, int] = {}
    for row in lines[reference]:
        if row.line > 0:
            holder = _holder(row.credit)
            shares[holder] = shares.get(holder, 0) + row.kopecks
    rests = dict(shares)
    for operation in (key for one in refunds for key in one.operations):
        for row in lines.get(operation, ()):
            # What had been taken when it was asked for is not taken from a holder once more.
            if row.line > 0 and row.debit != accounts.reserve_of(refunds[0].provider):
                holder = _holder(row.debit)
                rests[holder] = rests.get(holder, 0) - row.kopecks
    left = {holder: max(0, kopecks) for holder, kopecks in rests.items()}
    return Holding(lines[reference][0].revision, shares, left, refunds)


def _holder(name: str) -> Holder:
    return name if name.startswith(accounts.CONTRACT) else None
