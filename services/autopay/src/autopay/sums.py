"""What has to be charged, and what the cap of a month leaves for it. Pure; whole kopecks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from autopay.case import SPENT, Account, Charge, Occasion
from autopay.mandate import Limits, Mandate, Trigger
from autopay.schedule import day_of, month_of


class Sum(NamedTuple):
    """What an occasion needs."""

    kopecks: int
    fixed: bool
    """A sum that was agreed to is charged whole or not at all."""


def needed(
    mandate: Mandate, occasion: Occasion, account: Account, limits: Limits, at: datetime
) -> Sum | None:
    """Return what an occasion needs as the contract stands; None where it needs nothing."""
    terms = mandate.terms
    if terms.trigger is Trigger.DAY:
        missing: int | None = terms.amount_kopecks
    elif terms.trigger is Trigger.FEE:
        missing = _for_fees(occasion, account, later=_is_over(mandate, occasion, at))
    else:
        missing = _below(terms.threshold_kopecks or 0, occasion, account)
    if missing is None or missing <= 0:
        return None
    if terms.amount_kopecks is not None:
        return Sum(terms.amount_kopecks, fixed=True)
    least, most = limits.amount_min_kopecks, limits.amount_max_kopecks
    return Sum(min(max(missing, least), most), fixed=False)


def within_cap(
    sum_: Sum, mandate: Mandate, charges: Sequence[Charge], limits: Limits, at: datetime
) -> int | None:
    """Return what may be charged in the month of a moment; None where the cap forbids it.

    A sum that nobody agreed to as such is made smaller, if what is left is worth a charge.
    """
    left = mandate.terms.cap_kopecks - spent(mandate, charges, at)
    if sum_.kopecks <= left:
        return sum_.kopecks
    return None if sum_.fixed or left < limits.amount_min_kopecks else left


def spent(mandate: Mandate, charges: Sequence[Charge], at: datetime) -> int:
    """Return what was charged, or may have been, in the month of a moment."""
    begins, ends = month_of(at, mandate.terms.zone)
    return sum(
        charge.amount_kopecks
        for charge in charges
        if charge.state in SPENT
        and charge.requested_at is not None
        and begins <= charge.requested_at < ends
    )


def _is_over(mandate: Mandate, occasion: Occasion, at: datetime) -> bool:
    return occasion.day is not None and occasion.day < day_of(at, mandate.terms.zone)


def _for_fees(occasion: Occasion, account: Account, *, later: bool) -> int | None:
    """Return what is still missing for a day of fees: what has come since it was said is taken off.

    What core-billing recommends meanwhile may be for other fees. Once they have been charged, a
    contract that still has its services lacks no more than it owes.
    """
    missing, then, now = occasion.needed_kopecks, occasion.balance_kopecks, account.balance_kopecks
    if missing is None or then is None or now is None:
        return missing
    missing -= max(0, now - then)
    return min(missing, -now) if later and now < 0 and not account.blocked else missing


def _below(threshold: int, occasion: Occasion, account: Account) -> int | None:
    """Return what a balance below its threshold needs: what is recommended, the gap at least."""
    balance = _first(account.balance_kopecks, occasion.balance_kopecks)
    if balance is None or balance >= threshold:
        return None
    recommended = _first(account.needed, occasion.needed_kopecks) or 0
    return max(recommended, threshold - balance)


def _first(newest: int | None, said: int | None) -> int | None:
    return said if newest is None else newest
