"""Who may promise to pay, how much and until when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from core_billing import promise_refusals as refusals
from core_billing.fee_calendar import Plan, charges
from core_billing.policy_values import PromiseRule
from core_billing.promise_rows import Origin, Promise
from shared.money import Money

CREDIT: Final = "credit"
ROUBLE: Final = 100


@dataclass(frozen=True, slots=True)
class Candidate:
    """A contract as these rules see it; sums are kopecks."""

    contract_id: int
    number: str
    group: str
    open: bool
    charging: str
    opted_in: bool
    """Whether it wants to be given a promise by itself."""
    since: date | None
    """The date of the contract."""
    balance_kopecks: int
    floor_kopecks: int
    """Credit limit and active promise: with the balance it makes what is available."""
    largest_fee_kopecks: int = 0
    """The largest monthly fee on the contract."""
    plans: tuple[Plan, ...] = ()
    """What its services will be charged for while a promise lets it be used."""
    current: Promise | None = None
    """The promise that is not closed, be it active or overdue."""
    current_last_day: date | None = None
    granted_on: tuple[date, ...] = ()
    """The days of earlier promises, newest first; cancelled ones do not count."""
    overdue_closed_on: date | None = None
    """The day on which the last one that had been overdue was settled."""
    revision: int = 0
    """Of the contract's newest promise."""

    @property
    def available_kopecks(self) -> int:
        """Return what may still be spent."""
        return self.balance_kopecks + self.floor_kopecks


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for: how much, and what only a manager may choose."""

    origin: Origin
    amount_kopecks: int
    until: date | None = None
    waive_fee: bool = False


@dataclass(frozen=True, slots=True)
class Decision:
    """A promise as the rules allow it."""

    amount_kopecks: int
    fee_kopecks: int
    last_day: date
    """It holds until the end of this day."""


def decide(rule: PromiseRule, candidate: Candidate, wish: Wish, today: date) -> Decision:
    """Return what may be promised; raises the first of `promise_refusals.GIVING` that says no."""
    if wish.origin is not Origin.MANAGER and (wish.until is not None or wish.waive_fee):
        raise refusals.MANAGER_ONLY()
    admit(rule, candidate, wish.origin, today)
    fee = 0 if wish.waive_fee else rule.fee.kopecks
    _check_amount(rule, candidate, wish.amount_kopecks)
    last_day = _last_day(rule, candidate, wish, today)
    missing = fee - candidate.available_kopecks - wish.amount_kopecks
    if missing > 0:
        needed = suggested(rule, candidate, fee, last_day)
        raise refusals.INSUFFICIENT(missing=Money(missing), needed=Money(needed))
    return Decision(wish.amount_kopecks, fee, last_day)


def admit(rule: PromiseRule, candidate: Candidate, origin: Origin, today: date) -> None:
    """Raise the first rule by which this contract may promise nothing at all today."""
    _admit_contract(rule, candidate, today)
    _admit_while_open(candidate)
    _admit_group(rule, candidate, origin)
    debt, limit = -candidate.balance_kopecks, rule.debt_limit
    if limit is not None and debt > 0 and debt >= limit.kopecks:
        raise refusals.DEBT_ABOVE_LIMIT(debt=Money(debt), limit=limit)
    _admit_after_earlier(rule, candidate, today)


def bounds(rule: PromiseRule, candidate: Candidate) -> tuple[int, int]:
    """Return the least and the greatest sum in kopecks; the greatest may be the smaller one."""
    top = rule.max.kopecks
    if rule.within_fees:
        top = min(top, candidate.largest_fee_kopecks)
    return rule.min.kopecks, top


def suggested(rule: PromiseRule, candidate: Candidate, fee_kopecks: int, last_day: date) -> int:
    """Return what is missing, with the fee, rounded up to a rouble; at least the least sum.

    It covers what falls due while it holds, as far as the greatest sum allows: else the contract
    would be blocked again a day later. What is missing now is never left out.
    """
    least, most = bounds(rule, candidate)
    missing = fee_kopecks - candidate.available_kopecks
    now = max(least, _in_roubles(missing))
    later = missing + _falling_due(candidate, last_day, most - missing)
    return max(now, min(most, _in_roubles(later)))


def last_day_by_rule(rule: PromiseRule, since: date | None, origin: Origin, today: date) -> date:
    """Return the last day of a promise for which nobody has chosen one."""
    days = rule.days
    if origin is Origin.AUTOMATIC and since is not None:
        days += rule.days_per_year * full_years(since, today)
    return today + timedelta(days=days)


def last_day_max(rule: PromiseRule, today: date) -> date:
    """Return the latest day that a manager may choose."""
    return today + timedelta(days=max(rule.days, rule.manager_days))


def full_years(since: date, today: date) -> int:
    """Return how many full years have passed; none before the first."""
    unfinished = (today.month, today.day) < (since.month, since.day)
    return max(0, today.year - since.year - unfinished)


def owed(promise: Promise, own_kopecks: int) -> int:
    """Return the least sum that settles a promise: what was promised, or the debt if smaller.

    `own_kopecks` is the balance with the credit limit, without the promise.
    """
    if promise.closed_at is not None:
        return 0
    return min(promise.amount_kopecks - promise.paid_kopecks, max(0, -own_kopecks))


def _in_roubles(kopecks: int) -> int:
    return max(0, -(-kopecks // ROUBLE) * ROUBLE)


def _falling_due(candidate: Candidate, last_day: date, enough: int) -> int:
    """Return the fees of a contract that are still to be charged through a day, in kopecks.

    More than `enough` is not counted: a promise may be long, and days are charged one by one.
    """
    total = 0
    for plan in candidate.plans:
        for fee in charges(plan, last_day):
            if total >= enough:
                return total
            total += fee.kopecks
    return total


def _admit_contract(rule: PromiseRule, candidate: Candidate, today: date) -> None:
    if not candidate.open:
        raise refusals.CONTRACT_CLOSED(number=candidate.number)
    if candidate.charging == CREDIT:
        raise refusals.CREDIT_CONTRACT(number=candidate.number)
    if rule.contract_days == 0:
        return
    if candidate.since is None:
        raise refusals.CONTRACT_UNDATED(number=candidate.number)
    needed = timedelta(days=rule.contract_days)
    first = min(candidate.since, date.max - needed) + needed
    if today < first:
        raise refusals.CONTRACT_YOUNG(number=candidate.number, day=_shown(first))


def _admit_while_open(candidate: Candidate) -> None:
    current = candidate.current
    if current is None:
        return
    amount, day = Money(current.amount_kopecks), _shown(candidate.current_last_day)
    if current.overdue_at is not None:
        left = owed(current, candidate.balance_kopecks + candidate.floor_kopecks)
        raise refusals.OVERDUE(amount=amount, day=day, owed=Money(left))
    raise refusals.ACTIVE(
        number=candidate.number,
        amount=amount,
        day=day,
        who=current.granted_by,
        since=f"{current.granted_at:%d.%m.%Y %H:%M}",
    )


def _admit_group(rule: PromiseRule, candidate: Candidate, origin: Origin) -> None:
    if rule.min.kopecks <= 0 or rule.max.kopecks <= 0:
        raise refusals.NOT_CONFIGURED(group=candidate.group)
    if origin is Origin.SUBSCRIBER and not rule.by_subscriber:
        raise refusals.BY_SUBSCRIBER(group=candidate.group)
    if origin is Origin.MANAGER and not rule.by_manager:
        raise refusals.BY_MANAGER(group=candidate.group)


def _admit_after_earlier(rule: PromiseRule, candidate: Candidate, today: date) -> None:
    if candidate.overdue_closed_on is not None:
        free = candidate.overdue_closed_on + timedelta(days=rule.pause_days)
        if today < free:
            raise refusals.PAUSE(day=_shown(free))
    if rule.count == 0 or rule.per_days == 0 or len(candidate.granted_on) < rule.count:
        return
    # The next one may come when this one has left the stretch of days.
    free = candidate.granted_on[rule.count - 1] + timedelta(days=rule.per_days)
    if today < free:
        raise refusals.TOO_OFTEN(count=rule.count, days=rule.per_days, day=_shown(free))


def _check_amount(rule: PromiseRule, candidate: Candidate, kopecks: int) -> None:
    least, most = bounds(rule, candidate)
    if kopecks > rule.max.kopecks:
        raise refusals.ABOVE_MAX(max=rule.max)
    # Before the least sum: where the fees allow less than that, no other sum would help.
    if kopecks > most:
        raise refusals.ABOVE_FEES(max=Money(most))
    if kopecks < least:
        raise refusals.BELOW_MIN(min=rule.min)


def _last_day(rule: PromiseRule, candidate: Candidate, wish: Wish, today: date) -> date:
    if wish.until is None:
        return last_day_by_rule(rule, candidate.since, wish.origin, today)
    if wish.until < today:
        raise refusals.UNTIL_PAST(first=_shown(today))
    last = last_day_max(rule, today)
    if wish.until > last:
        raise refusals.UNTIL_TOO_FAR(last=_shown(last))
    return wish.until


def _shown(day: date | None) -> str:
    return "" if day is None else f"{day:%d.%m.%Y}"
