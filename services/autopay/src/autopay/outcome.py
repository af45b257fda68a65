"""What the news of a charge makes of it, in any order, repeated, late. Pure.

Money is money: a success holds whatever was said before, and nothing said after it takes it back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from autopay.case import IN_FLIGHT, Charge, State
from autopay.mandate import MethodName
from shared.errors import Poison
from shared.events import Event, PaymentCanceled, PaymentSucceeded
from shared.events_gateway import ChargeFailed, FailureClass

_CANCELED: FailureClass = FailureClass.SOFT


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one event says of a charge."""

    charge_id: str
    contract: str | None
    provider: str
    amount_kopecks: int
    succeeded: bool
    reason: str = ""
    failure: FailureClass | None = None
    correlation_id: str = ""


class Concluded(NamedTuple):
    """A charge after news of it, and what a person must look at."""

    charge: Charge
    alarm: str | None = None


def read(event: Event) -> Outcome | None:
    """Return what an event says of a charge of autopay; None for one that speaks of none."""
    if event.type == ChargeFailed.TYPE:
        failed = ChargeFailed.of(event)
        return Outcome(
            failed.charge_id,
            failed.contract,
            failed.provider,
            failed.amount_kopecks,
            succeeded=False,
            reason=failed.reason,
            failure=failed.failure,
            correlation_id=event.correlation_id,
        )
    model = PaymentSucceeded if event.type == PaymentSucceeded.TYPE else PaymentCanceled
    body = model.of(event)
    if body.charge_id is None:
        return None
    contract = body.contract
    if contract is None and body.allocations:
        contract = body.allocations[0].contract
    paid = isinstance(body, PaymentSucceeded)
    return Outcome(
        body.charge_id,
        contract,
        body.provider,
        body.amount_kopecks,
        succeeded=paid,
        reason="" if isinstance(body, PaymentSucceeded) else body.reason,
        failure=None if paid else _CANCELED,
        correlation_id=event.correlation_id,
    )


def booked(charge: Charge) -> Outcome:
    """Return what is proved by its money on the contract, where nobody says more of a charge."""
    return Outcome(
        charge.id,
        charge.contract,
        charge.method.provider,
        charge.amount_kopecks,
        succeeded=True,
        correlation_id=charge.correlation_id,
    )


def conclude(charge: Charge, said: Outcome, at: datetime) -> Concluded:
    """Return a charge after news of it; news that is known already changes nothing."""
    foreign = said.contract not in (None, charge.contract)
    if foreign or said.provider != charge.method.provider:
        return Concluded(charge, "autopay_charge_foreign")
    if said.succeeded:
        return _succeeded(charge, said, at)
    if charge.state is State.FAILED:
        return Concluded(charge)
    if charge.state is State.SUCCEEDED or charge.state is State.DROPPED:
        return Concluded(charge, "autopay_charge_contradicted")
    failed = replace(
        charge,
        state=State.FAILED,
        reason=said.reason,
        failure=said.failure,
        concluded_at=at,
        requested_at=charge.requested_at or at,
    )
    return Concluded(failed, None if charge.state in IN_FLIGHT else "autopay_charge_unasked")


def unknown(said: Outcome, at: datetime) -> Charge:
    """Return the row of a paid charge that nobody here remembers: its money counts all the same.

    Raises Poison where it is not even said whose it is.
    """
    if said.contract is None:
        raise Poison("a charge of an unknown contract has succeeded")
    return Charge(
        id=said.charge_id,
        contract=said.contract,
        occasion="unknown",
        number=0,
        mandate_id=None,
        why="unknown",
        method=MethodName(said.provider, ""),
        amount_kopecks=said.amount_kopecks,
        state=State.SUCCEEDED,
        announce_at=None,
        charge_at=at,
        created_at=at,
        correlation_id=said.correlation_id,
        requested_at=at,
        concluded_at=at,
    )


def _succeeded(charge: Charge, said: Outcome, at: datetime) -> Concluded:
    other = said.amount_kopecks != charge.amount_kopecks
    if charge.state is State.SUCCEEDED:
        return Concluded(charge, "autopay_amount_changed" if other else None)
    paid = replace(
        charge,
        state=State.SUCCEEDED,
        amount_kopecks=said.amount_kopecks,
        reason="",
        failure=None,
        concluded_at=at,
        requested_at=charge.requested_at or at,
    )
    if charge.state not in IN_FLIGHT:
        return Concluded(paid, "autopay_charge_contradicted")
    return Concluded(paid, "autopay_amount_differs" if other else None)
