"""What the ledger owes, worked out from the plan and the provider's rows alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from faults.orders import BENT_KOPECKS, Order
from faults.truth import Taken

SUCCEEDED: Final = "succeeded"
CURRENCY: Final = "RUB"
NOBODY: Final[Mapping[int, str]] = {}


@dataclass(frozen=True, slots=True)
class Owed:
    """Money the provider has: it must stand in the ledger once, and nowhere else."""

    payment_id: str
    kopecks: int
    contract: str | None
    """None where a person must decide: it is held in suspense."""


@dataclass(frozen=True, slots=True)
class Shop:
    """Our account at the provider."""

    id: str
    test: bool

    @property
    def source(self) -> str:
        """The name under which the ledger knows what comes from there."""
        return f"payment:yookassa:{self.id}"


def owed(
    orders: Iterable[Order],
    payments: Iterable[Taken],
    shop: Shop,
    charges: Mapping[int, str] = NOBODY,
) -> list[Owed]:
    """Return what must be posted for the provider's succeeded payments.

    An amount tells the order, because no two orders of a run have the same; `charges` tells whose
    are the amounts that autopay takes, each again and again. What is foreign, in another currency
    or play money is owed to nobody. Raises KeyError for a payment that nobody has asked for.
    """
    whose = {order.kopecks: order.contract for order in orders} | dict(charges)
    return [
        Owed(
            payment.id,
            payment.kopecks,
            whose[payment.kopecks] if payment.kopecks < BENT_KOPECKS else None,
        )
        for payment in payments
        if payment.status == SUCCEEDED and _ours(payment, shop)
    ]


def foreign(payments: Iterable[Taken], shop: Shop) -> set[str]:
    """Return the succeeded payments that must be held back: not our money."""
    return {p.id for p in payments if p.status == SUCCEEDED and not _ours(p, shop)}


def made(
    orders: Sequence[Order], payments: Iterable[Taken], charges: Mapping[int, str] = NOBODY
) -> Mapping[int, list[str]]:
    """Return the number of each order → the ids of the payments that exist for it."""
    found: dict[int, list[str]] = {order.number: [] for order in orders}
    by_amount = {order.kopecks: order.number for order in orders}
    for payment in payments:
        if payment.kopecks in charges:
            continue
        found[by_amount[payment.kopecks % BENT_KOPECKS]].append(payment.id)
    return found


def _ours(payment: Taken, shop: Shop) -> bool:
    return (
        payment.account_id == shop.id and payment.currency == CURRENCY and payment.test == shop.test
    )
