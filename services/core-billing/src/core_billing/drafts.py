"""Where money is to go: decided here, from what was said and from the locked contracts, and pure.

What cannot go to a contract is held in the source's suspense account; nothing is ever refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from core_billing import accounts
from core_billing.accounts import Kept, Source

UNKNOWN: Final = "unknown_contract"
CLOSED: Final = "closed_contract"
UNEVEN: Final = "allocations_differ"

Reference = tuple[str, str]
"""Source and the source's own id: what makes a payment one payment."""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that a source says has come; a negative amount has gone."""

    source: str
    external_id: str
    amount_kopecks: int
    allocations: tuple[tuple[str, int], ...]
    """Contract numbers and their kopecks."""
    paid_at: datetime
    method: str = ""
    order_id: str | None = None
    charge_id: str | None = None
    """The charge of autopay that brought it: told to others, and not kept."""
    suspense: str | None = None
    """Why none of it may go to the contracts, where the source has such a reason."""
    category: int = 0

    @property
    def reference(self) -> Reference:
        """Return what makes it this payment and no other."""
        return self.source, self.external_id


class Part(NamedTuple):
    """Kopecks that one line moves to an account; a negative number is taken from it."""

    line: int
    account: str | None
    """The name of a contract's account, or None for suspense."""
    kopecks: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A revision of a payment as decided, before the database has taken it."""

    payment: Payment
    source: Source
    revision: int
    parts: tuple[Part, ...]
    suspense_reason: str | None
    ahead: timedelta = timedelta(0)
    """How long before its batch's moment it counts as posted, see `in_turn`."""


def draft(payment: Payment, source: Source, kept: Mapping[str, Kept]) -> Draft:
    """Decide where a payment's money goes, given the locked contracts."""
    shares: dict[str, int] = {}
    for number, kopecks in payment.allocations:
        name = accounts.of_contract(number)
        shares[name] = shares.get(name, 0) + kopecks
    reason = payment.suspense
    if reason is None and sum(shares.values()) != payment.amount_kopecks:
        reason = UNEVEN
    moves: list[tuple[str | None, int]] = []
    for name, kopecks in shares.items() if reason is None else ():
        account = kept.get(name)
        if account is not None and account.open:
            moves.append((name, kopecks))
        else:
            reason = UNKNOWN if account is None else CLOSED
    if reason is not None:
        moves.append((None, payment.amount_kopecks - sum(kopecks for _, kopecks in moves)))
    parts = tuple(Part(line, *move) for line, move in enumerate(moves, start=1))
    return Draft(payment, source, 1, parts, reason)


def in_turn(drafts: Sequence[Draft]) -> list[Draft]:
    """Give payments of one batch to the same contract moments of their own, the last one `at`.

    Others order the balances they hear of by these moments. A microsecond lies between two.
    """
    follow: dict[str, int] = {}
    turned: list[Draft] = []
    for one in reversed(drafts):
        names = {part.account for part in one.parts if part.account is not None}
        after = max((follow.get(name, 0) for name in names), default=0)
        follow |= dict.fromkeys(names, after + 1)
        turned.append(replace(one, ahead=timedelta(microseconds=after)) if after else one)
    return turned[::-1]


def payment_row(draft: Draft, at: datetime) -> dict[str, Any]:
    """Return the columns of the revision's payment, registered at a moment."""
    payment = draft.payment
    return {
        "amount_kopecks": payment.amount_kopecks,
        "paid_at": payment.paid_at,
        "registered_at": at - draft.ahead,
        "source_id": draft.source.id,
        "revision": draft.revision,
        "category": payment.category,
        "external_id": payment.external_id,
        "method": payment.method,
        "order_id": payment.order_id,
        "suspense_reason": draft.suspense_reason,
    }


def posting_row(
    payment_id: int, draft: Draft, part: Part, kept: Mapping[str, Kept], balances: dict[str, int]
) -> dict[str, Any]:
    """Return the columns of one line's posting; `balances` go on with what it moves."""
    after = None
    if part.account is None:
        account_id = draft.source.suspense_id
    else:
        account_id = kept[part.account].account_id
        after = balances[part.account] = balances[part.account] + part.kopecks
    taken = part.kopecks < 0
    return {
        "payment_id": payment_id,
        "line": part.line,
        "amount_kopecks": abs(part.kopecks),
        "debit_id": account_id if taken else draft.source.account_id,
        "credit_id": draft.source.account_id if taken else account_id,
        "debit_balance": after if taken else None,
        "credit_balance": None if taken else after,
    }
