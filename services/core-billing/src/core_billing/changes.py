"""A change of a contract's balance, as everything that follows from it needs to know it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """What has happened to a locked contract's balance in this transaction."""

    account_id: int
    number: str
    correlation_id: str
    tied: bool
    """Whether more than the watches follows from it, see `consequences`."""
    paid_kopecks: int = 0
    """How much came from outside; what moved between contracts repays no promise."""
    payment_id: int | None = None
    """The payment that brought it."""
