"""Corrections: a further revision of a payment, which reverses what stood and posts anew.

Nothing is changed or deleted: the reversal and the new postings are lines of the new revision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from core_billing import accounts, holdings, ledger, postings, refund_rows
from core_billing import correction_refusals as refusals
from core_billing.accounts import Kept
from core_billing.correction_rules import Share
from core_billing.drafts import Draft, Part, Payment, Reference
from core_billing.ledger import Receipt
from core_billing.refund_rows import State
from shared.db import Tx
from shared.errors import Conflict, NotFound, Text, invalid
from shared.money import Money

__all__ = ["Share", "correct", "newest", "revise", "undo", "withdraw"]

MOVED: Final = "moved_by_hand"


async def correct(
    tx: Tx, reference: Reference, revision: int, shares: Sequence[Share], at: datetime
) -> Receipt:
    """Post a payment anew, as these shares; none of them means it is annulled.

    `revision` is the one the caller has seen. Raises NotFound for an unknown payment, Conflict
    where somebody else has corrected it since or a refund has taken from it, Invalid for shares
    that cannot be posted.
    """
    return (await revise(tx, reference, revision, shares, at))[0]


async def revise(
    tx: Tx, reference: Reference, revision: int, shares: Sequence[Share], at: datetime
) -> tuple[Receipt, dict[str, Kept]]:
    """Do as `correct`, and return beside the receipt every contract it has touched, as it was."""
    await holdings.lock(tx, [reference])
    lines = await newest(tx, reference)
    if not lines:
        raise NotFound(Text("There is no such payment", "Такого платежа нет"))
    if lines[0].revision != revision:
        raise _corrected_meanwhile(lines[0].revision)
    await _refuse_refunded(tx, reference)
    undone = [undo(row) for row in lines if row.line > 0]
    anew = [
        Part(line, number and accounts.of_contract(number), kopecks)
        for line, (number, kopecks) in enumerate(shares, start=1)
    ]
    parts = (*undone, *anew)
    kept = await accounts.lock(tx, {part.account for part in parts if part.account})
    _check(lines[0], parts, kept)
    source = (await accounts.sources(tx, [reference[0]]))[reference[0]]
    reason = MOVED if any(number is None for number, _ in shares) else None
    draft = Draft(_revised(lines[0], shares), source, revision + 1, parts, reason)
    written = await ledger.write(tx, [draft], kept, at)
    if reference not in written:
        raise _corrected_meanwhile(revision + 1)
    return written[reference], kept


async def withdraw(tx: Tx, reference: Reference, at: datetime) -> dict[str, Kept]:
    """Reverse an operation of the billing's own; return the contracts it touched, as they were.

    One that is unknown or reversed already stays as it is. Whoever calls it holds a lock under
    which nobody else does.
    """
    lines = await newest(tx, reference)
    undone = tuple(undo(row) for row in lines if row.line > 0)
    if not undone:
        return {}
    kept = await accounts.lock(tx, {part.account for part in undone if part.account})
    source = (await accounts.sources(tx, [reference[0]]))[reference[0]]
    draft = Draft(_revised(lines[0], ()), source, lines[0].revision + 1, undone, None)
    await ledger.write(tx, [draft], kept, at)
    return kept


def _check(before: Row[Any], parts: Sequence[Part], kept: Mapping[str, Kept]) -> None:
    if not parts:
        raise invalid("shares", "the payment is annulled already", "платёж уже аннулирован")
    anew = [part for part in parts if part.line > 0]
    keeping = _keeping(parts)
    for part in anew:
        number = accounts.number_of(part.account or "")
        if part.account and part.account not in kept:
            raise refusals.CONTRACT_UNKNOWN(number=number)
        # One that has been closed since may keep what it has, while other shares move.
        if part.account and not kept[part.account].open and part.account not in keeping:
            raise refusals.CONTRACT_CLOSED(number=number)
        if part.kopecks == 0:
            raise invalid("amount", "a share of zero moves nothing", "нулевая доля ничего не даёт")
        if part.kopecks < 0 and _is_paid(before):
            raise invalid(
                "amount",
                "a share of a payment is above zero: leave out who gets nothing",
                "доля платежа больше нуля: не указывайте тех, кому ничего не достаётся",
            )
    total = sum(part.kopecks for part in anew)
    if _is_paid(before) and total != before.amount_kopecks:
        # The provider has this money and will settle it: only its place can be wrong here.
        raise invalid(
            "amount",
            f"a provider confirmed {Money(before.amount_kopecks)}: move it, or refund it there",
            f"провайдер подтвердил {Money(before.amount_kopecks)}: перенесите или верните у него",
        )


def _keeping(parts: Sequence[Part]) -> set[str | None]:
    """Return the accounts that a revision leaves with what they had of the payment."""
    gains: dict[str | None, int] = {}
    for part in parts:
        gains[part.account] = gains.get(part.account, 0) + part.kopecks
    return {name for name, kopecks in gains.items() if kopecks == 0}


async def _refuse_refunded(tx: Tx, reference: Reference) -> None:
    """Raise Conflict where a refund, said or asked for, has taken from the payment's holders."""
    if reference[0].startswith((accounts.REFUND, accounts.REQUEST)):
        raise refusals.REFUND_NOT_CORRECTED()
    refunds = await refund_rows.of_payments(tx, [reference[1]])
    taken = [r for r in refunds if r.payment == reference and r.state is not State.FAILED]
    if taken:
        raise refusals.REFUNDED(amount=Money(sum(one.amount_kopecks for one in taken)))


def _is_paid(before: Row[Any]) -> bool:
    return bool(before.source.startswith(accounts.PAYMENT))


async def newest(tx: Tx, reference: Reference) -> list[Row[Any]]:
    """Return the lines of an operation's newest revision; none where it is unknown."""
    rows = await postings.lines_of(tx, [reference[1]])
    mine = [row for row in rows if row.source == reference[0]]
    return [row for row in mine if row.revision == mine[-1].revision]


def undo(row: Row[Any]) -> Part:
    """Return the opposite of a line: what was credited is taken, what was taken comes back."""
    taken = row.debit_id != row.account_id
    name = row.debit if taken else row.credit
    account = name if name.startswith(accounts.CONTRACT) else None
    return Part(-row.line, account, row.kopecks if taken else -row.kopecks)


def _revised(before: Row[Any], shares: Sequence[Share]) -> Payment:
    return Payment(
        source=before.source,
        external_id=before.external_id,
        amount_kopecks=sum(kopecks for _, kopecks in shares),
        allocations=tuple((number, kopecks) for number, kopecks in shares if number),
        paid_at=before.paid_at,
        method=before.method,
        order_id=before.order_id,
        category=before.category,
    )


def _corrected_meanwhile(revision: int) -> Conflict:
    return Conflict(
        Text(
            f"The payment has been corrected meanwhile (revision {revision}): look at it again",
            f"Платёж тем временем исправили (версия {revision}): посмотрите его снова",
        )
    )
