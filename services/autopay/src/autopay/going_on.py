"""How it goes on after charges that have failed: the retry calendar, asked about a case. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from autopay.acts import Acts
from autopay.autopay import Rules
from autopay.case import Charge, Occasion, State
from autopay.mandate import Mandate
from autopay.retries import WINDOW, Decision, Situation, Try, after, begin
from shared.events_gateway import FailureClass


def after_failure(acts: Acts, mandate: Mandate, failed: Charge, rules: Rules) -> Decision:
    """Return what follows from a charge that has failed just now, for its method and account."""
    decision = after(_situation(acts, mandate, failed.occasion, failed), rules.retries, acts.at)
    if decision.stop:
        acts.stopped[failed.method] = failed.reason
    if decision.pause_until is not None:
        acts.pauses[failed.method.provider] = (decision.pause_until, failed.reason)
    return decision


def next_try(acts: Acts, mandate: Mandate, occasion: Occasion, rules: Rules) -> Decision:
    """Return by which method an occasion is charged next, and from when on."""
    last = _last_of(acts, occasion.key)
    if last is not None and last.state is State.FAILED:
        return after(_situation(acts, mandate, occasion.key, last), rules.retries, acts.at)
    return begin(_situation(acts, mandate, occasion.key, None), rules.retries, acts.at)


def _situation(acts: Acts, mandate: Mandate, occasion: str, last: Charge | None) -> Situation:
    failed = [each for each in _made(acts) if each.state is State.FAILED]
    tries = [_try(each) for each in failed if each is not last and _recent(each, acts.at)]
    return Situation(
        tries=[*tries, _try(last)] if last is not None else tries,
        methods=acts.live,
        zone=mandate.terms.zone,
        since=_since(acts, occasion),
        blocks_on=acts.case.account.blocks_on,
    )


def _made(acts: Acts) -> list[Charge]:
    """Return the charges that were asked for, oldest first."""
    made = [each for each in acts.charges.values() if each.requested_at is not None]
    return sorted(made, key=_moment)


def _last_of(acts: Acts, occasion: str) -> Charge | None:
    own = _of(acts, occasion)
    return own[-1] if own else None


def _of(acts: Acts, occasion: str) -> Sequence[Charge]:
    """Return an occasion's charges that were asked for, in their order."""
    own = [each for each in _made(acts) if each.occasion == occasion]
    return sorted(own, key=lambda each: each.number)


def _since(acts: Acts, occasion: str) -> datetime:
    """Return when it was first charged for, after the last charge that has succeeded."""
    since = acts.at
    for each in reversed(_of(acts, occasion)):
        if each.state is State.SUCCEEDED:
            break
        since = min(since, _moment(each))
    return since


def _recent(charge: Charge, at: datetime) -> bool:
    return _moment(charge) > at - WINDOW


def _moment(charge: Charge) -> datetime:
    return charge.requested_at or charge.created_at


def _try(charge: Charge) -> Try:
    failure = FailureClass(charge.failure or FailureClass.SOFT)
    return Try(_moment(charge), charge.method, charge.reason, failure)
