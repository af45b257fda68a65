"""What happens next with a contract's autopay: one decision from everything that is known. Pure.

It is made anew at every event and every moment that matters, and made twice it changes nothing
twice. What was planned before is only kept while it would be planned again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time
from typing import Final

from autopay.acts import Acts, Failed
from autopay.autopay import Rules
from autopay.calendar_days import is_passed_over, open_days
from autopay.case import IN_FLIGHT, UPCOMING, Case, Cause, Charge, Occasion
from autopay.going_on import after_failure
from autopay.mandate import Mandate, Trigger
from autopay.planning import plan
from autopay.retries import Decision
from autopay.schedule import day_of, moment
from autopay.sums import needed
from autopay.timing import waits_for_news
from autopay.upcoming import go_on

LOOK: Final = "balance:look"
"""Names an occasion that no crossing has made: a balance that was low when it was looked at."""


def decide(case: Case, rules: Rules, cause: Cause, at: datetime) -> Acts:
    """Return what is to be done for a contract, and when it is to be looked at again."""
    acts = Acts(case, at)
    mandate = case.mandate
    if mandate is None or case.closed:
        _end(acts, "revoked" if mandate is None else "closed")
        return acts
    failed = None if cause.failed is None else acts.charges.get(cause.failed)
    next_try = None if failed is None else after_failure(acts, mandate, failed, rules)
    _call_off(acts, cause)
    _open(acts, mandate, rules, cause)
    if _paused(acts, mandate):
        return acts
    occasion = _current(acts, mandate)
    _go_on(acts, mandate, occasion, rules, cause)
    if failed is not None and next_try is not None:
        _tell(acts, mandate, failed, next_try, rules)
    return acts


def _go_on(
    acts: Acts, mandate: Mandate, occasion: Occasion | None, rules: Rules, cause: Cause
) -> None:
    """Go on with the charge that is planned, or plan one and go on with that."""
    charge = acts.charge
    if charge is not None and charge.state in IN_FLIGHT:
        return
    if go_on(acts, mandate, occasion, rules) or occasion is None:
        return
    occasion = acts.occasions[occasion.key]
    if occasion.state == "open":
        plan(acts, mandate, occasion, rules, cause)
        go_on(acts, mandate, acts.occasions[occasion.key], rules)


def _end(acts: Acts, reason: str) -> None:
    acts.drop(reason)
    for occasion in acts.open_occasions():
        acts.close(occasion, reason)


def _call_off(acts: Acts, cause: Cause) -> None:
    """Do what the subscriber has just asked for with what is planned."""
    if cause.call_off is None:
        return
    acts.drop(cause.call_off)
    for occasion in acts.open_occasions():
        if cause.call_off == "changed":
            acts.keep(replace(occasion, hold=None, hold_until=None))
        else:
            # A crossing and a balance that was looked at are the same need of money.
            acts.close(occasion, cause.call_off)


def _open(acts: Acts, mandate: Mandate, rules: Rules, cause: Cause) -> None:
    """Open what is due of itself, and close what its trigger or a later one has done away with."""
    open_days(acts, mandate, rules)
    trigger = mandate.terms.trigger
    own = [each for each in acts.open_occasions() if each.why == trigger]
    newest = max((each.number for each in own), default=0)
    for occasion in acts.open_occasions():
        if occasion.why != trigger:
            acts.close(occasion, "changed")
        elif 0 < occasion.number < newest:
            acts.close(occasion, "superseded")
        elif is_passed_over(acts, mandate, occasion):
            acts.close(occasion, "changed")
    if cause.look and not own:
        _look(acts, mandate)


def _look(acts: Acts, mandate: Mandate) -> None:
    """Open what a mandate finds that is new, or has other terms: nobody says it once more."""
    trigger, made = mandate.terms.trigger, f"{mandate.id.hex[:12]}:{mandate.revision}"
    if trigger is Trigger.BALANCE and _low(acts, mandate):
        acts.keep(Occasion(acts.case.contract, f"{LOOK}:{made}", trigger, 0, acts.at, mandate.id))
    fees = _fees_left(acts, mandate) if trigger is Trigger.FEE else None
    if fees is not None:
        acts.keep(
            replace(
                fees,
                key=f"{trigger}:{fees.day}:{made}",
                mandate_id=mandate.id,
                state="open",
                reason="",
                opened_at=acts.at,
                closed_at=None,
                charges=0,
            )
        )


def _fees_left(acts: Acts, mandate: Mandate) -> Occasion | None:
    """Return the fees to come that were let go only because of an earlier mandate or its terms."""
    today = day_of(acts.at, mandate.terms.zone)
    dated = [
        each
        for each in acts.occasions.values()
        if each.why == Trigger.FEE and each.day is not None and each.day >= today
    ]
    newest = max(dated, key=lambda each: (each.number, each.opened_at), default=None)
    return newest if newest is not None and newest.reason in ("revoked", "changed") else None


def _low(acts: Acts, mandate: Mandate) -> bool:
    """Say whether the last known balance is below the threshold."""
    balance, threshold = acts.case.account.balance_kopecks, mandate.terms.threshold_kopecks
    return balance is not None and threshold is not None and balance < threshold


def _paused(acts: Acts, mandate: Mandate) -> bool:
    until = mandate.paused_until
    zone = mandate.terms.zone
    if until is None or day_of(acts.at, zone) >= until:
        return False
    acts.drop("paused")
    acts.look_at = moment(until, time(), zone)
    return True


def _current(acts: Acts, mandate: Mandate) -> Occasion | None:
    """Return the occasion that is charged for: the one that was begun with."""
    charge = acts.charge
    own = [each for each in acts.open_occasions() if each.why == mandate.terms.trigger]
    if charge is not None:
        for each in own:
            if each.key == charge.occasion:
                return each
    return min(own, key=lambda each: each.number, default=None)


def _tell(acts: Acts, mandate: Mandate, failed: Charge, next_try: Decision, rules: Rules) -> None:
    """Say what becomes of a failed charge, on the first failure already.

    Nobody is told of what was the shop's fault, as long as it is tried again, or of a charge that
    is needed no more.
    """
    occasion = acts.occasions.get(failed.occasion)
    if occasion is None or occasion.state != "open" or waits_for_news(acts, rules):
        return
    if any(isinstance(each, Failed) for each in acts.told):
        return
    if needed(mandate, occasion, acts.case.account, rules.limits, acts.at) is None:
        return
    again = acts.charge
    if again is not None and again.state not in UPCOMING:
        again = None
    if again is not None and failed.failure in ("shop", "stale") and next_try.needs == "nothing":
        return
    acts.told.append(
        Failed(
            failed.id,
            failed.amount_kopecks,
            failed.method,
            failed.reason,
            again,
            next_try.needs,
        )
    )
