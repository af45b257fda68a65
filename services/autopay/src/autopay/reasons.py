"""What a reason for which a charge came to nothing says about the next try. Pure.

YooKassa names its reasons ("Declined payments") and says that when to try again is the shop's own
affair; T-Bank gives codes ("Error codes"); Raiffeisen gives no reason. The policy is therefore
ours, and each line of it can be set.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.events_gateway import FailureClass


class Way(StrEnum):
    """How a failed charge is gone on with."""

    PAYDAY = "payday"
    """Money is missing: the next day, then the mornings after paydays."""
    NEXT_DAY = "next_day"
    HOURS = "hours"
    """The other side is out of order: in hours, then the next day."""
    SOON = "soon"
    """Nobody has decided anything: in minutes, then in hours, then the next day."""
    ONCE = "once"
    """Once more on the next day, then no more for this need of money."""
    NEVER = "never"
    """Not by this method, for this need of money."""
    STOP = "stop"
    """Never again by this method: its owner is asked for another one."""
    PAUSE = "pause"
    """The shop is at fault: nobody is charged at this account for a while."""


WAYS: Final[Mapping[str, Way]] = MappingProxyType(
    {
        "insufficient_funds": Way.PAYDAY,
        "payment_method_limit_exceeded": Way.NEXT_DAY,
        "issuer_unavailable": Way.HOURS,
        "internal_timeout": Way.SOON,
        "rejected_by_timeout": Way.SOON,
        "general_decline": Way.ONCE,
        "call_issuer": Way.ONCE,
        "fraud_suspected": Way.STOP,
        "3d_secure_failed": Way.STOP,
        "identification_required": Way.STOP,
        # Somebody would have had to confirm; nobody was there.
        "expired_on_confirmation": Way.ONCE,
        "expired": Way.ONCE,
        # What a gateway says itself: it could not send the charge.
        "unmade": Way.SOON,
        # Said of the shop, but about this charge alone: no reason to let everybody wait.
        "canceled_by_merchant": Way.ONCE,
        "expired_on_capture": Way.ONCE,
        "deal_expired": Way.ONCE,
        "amount_out_of_limits": Way.NEVER,
        "no_contact": Way.NEVER,
        # T-Bank, through SBP: four codes for one thing.
        "103": Way.PAYDAY,
        "116": Way.PAYDAY,
        "1051": Way.PAYDAY,
        "5060": Way.PAYDAY,
        # Raiffeisen says no more than this; an account is mostly declined for want of money.
        "declined": Way.PAYDAY,
    }
)
"""A reason → the way; reasons that are not listed go by their class."""

_BY_CLASS: Final = {
    FailureClass.SOFT: Way.NEXT_DAY,
    FailureClass.HARD: Way.STOP,
    FailureClass.SHOP: Way.PAUSE,
    FailureClass.STALE: Way.SOON,
}

TECHNICAL: Final = frozenset({Way.HOURS, Way.SOON})
"""Nobody has said no, so that the rule of one try a day does not hold."""


def way(ways: Mapping[str, Way], reason: str, failure: FailureClass) -> Way:
    """Return how a failed charge is gone on with.

    A method that will not work again is stopped whatever is set: the gateway has forgotten it.
    """
    if failure is FailureClass.HARD:
        return Way.STOP
    return ways.get(reason, _BY_CLASS[failure])


def reached(failure: FailureClass) -> bool:
    """Say whether somebody beyond the shop has seen the charge, so that it counts as a try."""
    return failure in (FailureClass.SOFT, FailureClass.HARD)
