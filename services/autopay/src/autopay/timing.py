"""When a charge is said and made, and what has to be waited for before it. Pure."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from autopay.acts import Acts
from autopay.autopay import Rules
from autopay.case import Account, Occasion, State
from autopay.mandate import Mandate, MethodName, Trigger
from autopay.schedule import Notice, charge_moment, day_of, last_within, moment, within_hours


def waits_for_news(acts: Acts, rules: Rules) -> bool:
    """Say whether a charge was paid whose money has not been seen on the contract yet.

    Where its posting is never heard of, as of money that core-billing holds in suspense, a balance
    that is new enough counts.
    """
    known_at = acts.case.account.balance_at
    return any(
        known_at is None or known_at < (each.concluded_at or acts.at) + rules.news_wait
        for each in acts.charges.values()
        if each.state is State.SUCCEEDED and each.credited_at is None
    )


def notice_of(acts: Acts, occasion: Occasion, rules: Rules) -> Notice:
    """Return how long before a charge it is said: what has been tried already, shortly."""
    own = (each for each in acts.charges.values() if each.occasion == occasion.key)
    tried = any(each.requested_at is not None for each in own)
    short = occasion.why == Trigger.BALANCE or tried
    return rules.notice_balance if short else rules.notice


def charge_at(
    acts: Acts,
    mandate: Mandate,
    occasion: Occasion,
    free_from: datetime,
    method: MethodName,
    rules: Rules,
) -> datetime:
    """Return when an occasion may be charged by a method that is free from a moment on."""
    zone = mandate.terms.zone
    notice = notice_of(acts, occasion, rules)
    if occasion.why == Trigger.DAY and occasion.day is not None:
        free_from = max(free_from, moment(occasion.day, notice.hours.start, zone))
    # Where something forbids an earlier moment, not even a block allows it.
    block = _block(acts.case.account, occasion) if free_from <= acts.at else None
    if block is not None and block <= day_of(acts.at, zone):
        block = None
    found = charge_moment(free_from, acts.at, notice, zone, block)
    return within_hours(max(found, paused_until(acts, method) or found), notice.hours, zone)


def announce_at(
    at: datetime, charge_at_: datetime, notice: Notice, zone: ZoneInfo
) -> datetime | None:
    """Return when a charge is said; None where it is made without notice.

    It is said by day, for at night nobody is told: the day before, if need be.
    """
    if not notice.length:
        return None
    return max(at, last_within(charge_at_, notice.hours, zone, notice.length))


def paused_until(acts: Acts, method: MethodName) -> datetime | None:
    """Return until when nobody is charged at a method's account; None where it may charge."""
    own = acts.pauses.get(method.provider)
    known = acts.case.pauses.get(method.provider)
    ends = [until for until in (own[0] if own else None, known) if until is not None]
    return max(ends, default=None)


def _block(account: Account, occasion: Occasion) -> date | None:
    if account.blocked:
        return None
    return account.blocks_on if account.needed_at is not None else occasion.blocks_on
