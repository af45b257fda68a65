"""What a refused charge says about the next one: the one place where reasons are judged.

A reason that is not listed, one that YooKassa has added since included, is soft: whoever charges
tries it again within limits of his own. Source: YooKassa's cancellation reasons ("Declined
payments"); it publishes no policy for repeating, so which of them end a method is ours.
"""

from __future__ import annotations

from typing import Final

from shared.events_gateway import FailureClass

HARD: Final = frozenset(
    {
        "permission_revoked",
        "card_expired",
        "invalid_card_number",
        "invalid_csc",
        "payment_method_restricted",
        "country_forbidden",
        # Nobody is there to prove anything: only a payment by hand helps.
        "fraud_suspected",
        "3d_secure_failed",
        "identification_required",
    }
)
"""The method will not work again: it is ended, and its owner is asked for another one."""

SHOP: Final = frozenset({"canceled_by_merchant", "expired_on_capture", "deal_expired"})
"""Ended by ourselves, or by what we have left undone."""


def failure(reason: str) -> FailureClass:
    """Return the class of a cancellation reason."""
    if reason in HARD:
        return FailureClass.HARD
    return FailureClass.SHOP if reason in SHOP else FailureClass.SOFT
