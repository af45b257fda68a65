"""Plans a charge for an occasion that needs money: how much, by which method, and when. Pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from autopay.acts import Acts, Failed
from autopay.autopay import Rules
from autopay.case import Cause, Charge, Occasion, State, charge_id
from autopay.going_on import next_try
from autopay.mandate import Mandate, MethodName, Trigger
from autopay.schedule import day_of, moment, month_of
from autopay.sums import Sum, needed, within_cap
from autopay.timing import announce_at, charge_at, notice_of, waits_for_news

CHARGES_MAX: Final = 100
"""Charges planned for one occasion, those that were dropped among them."""


def plan(acts: Acts, mandate: Mandate, occasion: Occasion, rules: Rules, cause: Cause) -> None:
    """Plan the next charge of an open occasion, or say why there is none."""
    sum_ = needed(mandate, occasion, acts.case.account, rules.limits, acts.at)
    if waits_for_news(acts, rules) or _held(acts, occasion):
        return
    if sum_ is None:
        # A need that was met is over: later the fees themselves have taken the money.
        if occasion.day is not None:
            acts.close(occasion, "paid")
    elif mandate.skip_next:
        acts.mandate = replace(mandate, skip_next=False)
        acts.close(occasion, "skipped")
    else:
        _choose(acts, mandate, occasion, sum_, rules, cause)


def _choose(
    acts: Acts, mandate: Mandate, occasion: Occasion, sum_: Sum, rules: Rules, cause: Cause
) -> None:
    """Find method and moment, and what the cap leaves then."""
    decision = next_try(acts, mandate, occasion, rules)
    if decision.again_at is None or decision.method is None:
        if acts.live:
            acts.keep(replace(occasion, hold="tries", hold_until=None))
        else:
            _ask_for_method(acts, occasion, sum_.kopecks, cause)
        return
    at = charge_at(acts, mandate, occasion, decision.again_at, decision.method, rules)
    amount = within_cap(sum_, mandate, list(acts.charges.values()), rules.limits, at)
    if amount is None:
        _wait_for_month(acts, mandate, occasion, sum_.kopecks, at, rules, cause)
    elif occasion.charges >= CHARGES_MAX:
        acts.close(occasion, "too_many")
        acts.alarm("autopay_too_many_charges", occasion=occasion.key)
    else:
        _add(acts, mandate, occasion, amount, decision.method, at, rules, cause)


def _held(acts: Acts, occasion: Occasion) -> bool:
    until = occasion.hold_until
    if occasion.hold == "tries":
        return True
    if occasion.hold != "cap" or until is None or acts.at >= until:
        return False
    acts.look_at = until if acts.look_at is None else min(until, acts.look_at)
    return True


def _ask_for_method(acts: Acts, occasion: Occasion, kopecks: int, cause: Cause) -> None:
    """Say once for an occasion that nothing is left to charge."""
    if occasion.hold == "method":
        return
    acts.keep(replace(occasion, hold="method"))
    if cause.failed is None:
        this = charge_id(occasion.contract, occasion.key, occasion.charges + 1)
        acts.told.append(Failed(this, kopecks, None, "method_gone", needs="new_method"))


def _wait_for_month(
    acts: Acts,
    mandate: Mandate,
    occasion: Occasion,
    kopecks: int,
    at: datetime,
    rules: Rules,
    cause: Cause,
) -> None:
    """Leave the cap alone until the next month begins, and say so; a day's own sum is let go."""
    if cause.failed is None:
        this = charge_id(occasion.contract, occasion.key, occasion.charges + 1)
        acts.told.append(Failed(this, kopecks, None, "cap", needs="promise"))
    if occasion.why == Trigger.DAY:
        acts.close(occasion, "cap")
        return
    _, ends = month_of(at, mandate.terms.zone)
    until = moment(day_of(ends, mandate.terms.zone), rules.notice.hours.start, mandate.terms.zone)
    acts.look_at = until if acts.look_at is None else min(until, acts.look_at)
    acts.keep(replace(occasion, hold="cap", hold_until=until))


def _add(
    acts: Acts,
    mandate: Mandate,
    occasion: Occasion,
    kopecks: int,
    method: MethodName,
    at: datetime,
    rules: Rules,
    cause: Cause,
) -> None:
    number, zone = occasion.charges + 1, mandate.terms.zone
    this = charge_id(occasion.contract, occasion.key, number)
    acts.keep(replace(occasion, charges=number, hold=None, hold_until=None))
    acts.put(
        Charge(
            id=this,
            contract=occasion.contract,
            occasion=occasion.key,
            number=number,
            mandate_id=mandate.id,
            why=occasion.why,
            method=method,
            amount_kopecks=kopecks,
            state=State.PLANNED,
            announce_at=announce_at(acts.at, at, notice_of(acts, occasion, rules), zone),
            charge_at=at,
            created_at=acts.at,
            correlation_id=cause.correlation_id or this.replace("-", ""),
        )
    )
