"""Days of the calendar on which a fixed sum is charged. Pure.

The next day stands in the mandate's row and only moves on, so each day is opened once: a scheduler
that was dead opens a missed day late, and one that is missed by too much is passed over, aloud.
A day that was let go for other terms, and is agreed to again in time, is opened again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from autopay.acts import Acts
from autopay.autopay import Rules
from autopay.case import SPENT, Occasion
from autopay.mandate import Mandate, Trigger
from autopay.schedule import day_in, day_of, moment, next_day

_MISSED_MAX: Final = 100
_LET_GO: Final = ("changed", "revoked")
"""Why a day is closed that nobody has paid for or wished away."""


def first_day(mandate: Mandate, at: datetime) -> date | None:
    """Return the first day that new terms are charged on: never the day they were agreed to."""
    chosen = mandate.terms.day_of_month
    if mandate.terms.trigger is not Trigger.DAY or chosen is None:
        return None
    return next_day(chosen, day_of(at, mandate.terms.zone))


def opens_at(day: date, mandate: Mandate, rules: Rules) -> datetime:
    """Return when a day is opened: as long before its hours as a charge is said beforehand."""
    return moment(day, rules.notice.hours.start, mandate.terms.zone) - rules.notice.length


def is_passed_over(acts: Acts, mandate: Mandate, occasion: Occasion) -> bool:
    """Say whether a day that is open is none of the mandate's, or lies in a pause that is over."""
    day, chosen, until = occasion.day, mandate.terms.day_of_month, mandate.paused_until
    if mandate.terms.trigger is not Trigger.DAY or day is None or chosen is None:
        return False
    over = until is not None and day < until <= day_of(acts.at, mandate.terms.zone)
    return over or day_in(day, chosen) != day


def open_days(acts: Acts, mandate: Mandate, rules: Rules) -> None:
    """Open the day that is due, pass over those that were missed, and ask for the next look."""
    chosen = mandate.terms.day_of_month
    if mandate.terms.trigger is not Trigger.DAY or chosen is None or acts.next_day is None:
        return
    soon = next_day(chosen, day_of(acts.at, mandate.terms.zone))
    if acts.next_day > next_day(chosen, soon):
        # The clock has been ahead; a day that was opened then is known, and not opened again.
        acts.next_day = soon
    for _ in range(_MISSED_MAX):
        if opens_at(acts.next_day, mandate, rules) > acts.at:
            break
        _open_day(acts, mandate, rules, acts.next_day)
        acts.next_day = next_day(chosen, acts.next_day)
    acts.look_at = opens_at(acts.next_day, mandate, rules)


def _open_day(acts: Acts, mandate: Mandate, rules: Rules, day: date) -> None:
    until = mandate.paused_until
    if until is not None and day < until:
        return
    if acts.at > moment(day, rules.notice.hours.start, mandate.terms.zone) + rules.late_max:
        acts.alarm("autopay_day_missed", day=day.isoformat(), mandate_id=str(mandate.id))
        return
    key = f"day:{day.isoformat()}"
    known = acts.occasions.get(key)
    if known is None:
        why = mandate.terms.trigger
        contract = acts.case.contract
        acts.keep(Occasion(contract, key, why, day.toordinal(), acts.at, mandate.id, day=day))
    elif known.reason in _LET_GO and not _is_spent(acts, key):
        opened: dict[str, Any] = {"state": "open", "reason": "", "closed_at": None}
        acts.keep(replace(known, opened_at=acts.at, mandate_id=mandate.id, **opened))


def _is_spent(acts: Acts, key: str) -> bool:
    return any(each.occasion == key and each.state in SPENT for each in acts.charges.values())
