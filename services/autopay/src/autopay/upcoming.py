"""A charge that is planned: looked at again before it is said, and again before it is made. Pure.

What has changed meanwhile wins: a charge that is needed no more, or not so much, or that is
allowed no more, is dropped or made smaller. It is never made larger than it was said.
"""

from __future__ import annotations

from dataclasses import replace

from autopay.acts import Acts, Requested, Upcoming
from autopay.autopay import Rules
from autopay.case import Charge, Occasion, State
from autopay.mandate import Mandate, Trigger
from autopay.schedule import charge_moment, heard_at, within_hours
from autopay.sums import Sum, needed, within_cap
from autopay.timing import notice_of, paused_until, waits_for_news


def go_on(acts: Acts, mandate: Mandate, occasion: Occasion | None, rules: Rules) -> bool:
    """Go on with the planned charge as far as its time has come; False where there is none now."""
    charge = acts.charge
    if charge is None:
        return False
    sum_ = None
    if occasion is not None and occasion.key == charge.occasion:
        sum_ = needed(mandate, occasion, acts.case.account, rules.limits, acts.at)
    if occasion is None or sum_ is None or waits_for_news(acts, rules):
        acts.drop("paid")
        return False
    if charge.method not in acts.live:
        acts.drop("method_gone")
        return False
    if charge.state is State.PLANNED and charge.announce_at is not None:
        if charge.announce_at > acts.at:
            return True
        return _announce(acts, mandate, occasion, charge, sum_, rules)
    if charge.charge_at > acts.at:
        return True
    return _request(acts, mandate, occasion, charge, sum_, rules)


def _announce(
    acts: Acts, mandate: Mandate, occasion: Occasion, charge: Charge, sum_: Sum, rules: Rules
) -> bool:
    """Say what will be charged and when; where that is late, the charge comes later, too."""
    notice = notice_of(acts, occasion, rules)
    at = charge.charge_at
    if heard_at(acts.at, notice, mandate.terms.zone) + notice.least > at:
        at = charge_moment(at, acts.at, notice, mandate.terms.zone)
    amount = within_cap(sum_, mandate, list(acts.charges.values()), rules.limits, at)
    if amount is None:
        acts.drop("cap")
        return False
    said = replace(
        charge,
        state=State.ANNOUNCED,
        announced_at=acts.at,
        charge_at=at,
        amount_kopecks=amount,
    )
    acts.told.append(Upcoming(acts.put(said), occasion))
    return True


def _request(
    acts: Acts, mandate: Mandate, occasion: Occasion, charge: Charge, sum_: Sum, rules: Rules
) -> bool:
    """Ask for the charge now, in the transaction that has looked at everything it depends on."""
    if acts.at - charge.charge_at > rules.late_max:
        acts.drop("late")
        acts.alarm("autopay_charge_late", charge_id=charge.id)
        if occasion.why == Trigger.DAY:
            acts.close(occasion, "late")
        return False
    paused = paused_until(acts, charge.method) or acts.at
    free = within_hours(max(acts.at, paused), rules.notice.hours, mandate.terms.zone)
    if free > acts.at:
        acts.put(replace(charge, charge_at=free))
        return True
    others = [each for each in acts.charges.values() if each.id != charge.id]
    amount = within_cap(sum_, mandate, others, rules.limits, acts.at)
    if amount is None or (sum_.fixed and amount != charge.amount_kopecks):
        acts.drop("cap" if amount is None else "changed")
        return False
    asked = replace(
        charge,
        state=State.REQUESTED,
        amount_kopecks=min(amount, charge.amount_kopecks),
        requested_at=acts.at,
        not_after=acts.at + rules.not_after,
    )
    acts.told.append(Requested(acts.put(asked)))
    return True
