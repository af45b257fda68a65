"""What autopay says: of its charges to subscribers and gateways, of its mandates to everybody."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from autopay.acts import Acts, Dropped, Failed, Requested, Telling, Upcoming
from autopay.autopay import Autopay
from autopay.case import Charge
from autopay.links import mandate_url, skip_url
from autopay.mandate import Mandate, MethodName
from shared.events import Event, EventData, event_id
from shared.events_autopay import (
    AutopayDropped,
    AutopayFailed,
    AutopayUpcoming,
    MandateRevoked,
    Why,
)
from shared.events_autopay import MethodName as Named
from shared.events_gateway import ChargeRequested

_ONCE: Final = "1"
"""What is said of a charge is said once."""
_WHY: Final[dict[str, Why]] = {"balance": "balance", "fee": "fee", "day": "day"}


def events(autopay: Autopay, acts: Acts, correlation_id: str) -> list[Event]:
    """Return what is said of a case."""
    return [_event(autopay, acts, each, correlation_id) for each in acts.told]


def revoked(
    autopay: Autopay,
    mandate: Mandate,
    methods: tuple[MethodName, ...],
    at: datetime,
    run: str = "",
) -> Event:
    """Return the event of a mandate that has ended, with the methods that are to be removed.

    `run` makes it a new one where it is said again.
    """
    body = MandateRevoked(
        contract=mandate.contract,
        occurred_at=at,
        revision=mandate.revision,
        mandate_id=str(mandate.id),
        methods=tuple(Named(provider=p, method_ref=r) for p, r in methods),
    )
    return body.event(
        autopay.producer.name,
        subject=str(mandate.id),
        revision=f"{mandate.revision}:{run}" if run else mandate.revision,
        correlation_id=mandate.id.hex,
    )


def request_id(autopay: Autopay, charge_id: str) -> UUID:
    """Return the id of the event that asks for a charge."""
    return event_id(autopay.producer.name, ChargeRequested.TYPE, charge_id, _ONCE)


def _event(autopay: Autopay, acts: Acts, telling: Telling, correlation_id: str) -> Event:
    if isinstance(telling, Failed):
        body: EventData = _failed(autopay, acts, telling)
        subject, revision = telling.charge_id, f"failed:{telling.reason}"
        if telling.method is None:
            revision = f"{telling.reason}:{acts.at.isoformat()}"
    else:
        body = _of_charge(autopay, acts, telling)
        subject, revision = telling.charge.id, _ONCE
        correlation_id = telling.charge.correlation_id
    return body.event(
        autopay.producer.name,
        subject=subject,
        revision=revision,
        correlation_id=correlation_id or subject,
    )


def _of_charge(
    autopay: Autopay, acts: Acts, telling: Upcoming | Dropped | Requested
) -> AutopayUpcoming | AutopayDropped | ChargeRequested:
    charge = telling.charge
    if isinstance(telling, Requested):
        return ChargeRequested(
            contract=charge.contract,
            occurred_at=acts.at,
            charge_id=charge.id,
            provider=charge.method.provider,
            method_ref=charge.method.method_ref,
            amount_kopecks=charge.amount_kopecks,
            not_after=charge.not_after or acts.at,
        )
    if isinstance(telling, Dropped):
        return AutopayDropped(
            contract=charge.contract,
            occurred_at=acts.at,
            charge_id=charge.id,
            mandate_id=_mandate_id(charge.mandate_id),
            amount_kopecks=charge.amount_kopecks,
            reason=charge.reason,
        )
    return _upcoming(autopay, acts, telling, charge)


def _upcoming(autopay: Autopay, acts: Acts, telling: Upcoming, charge: Charge) -> AutopayUpcoming:
    balance = acts.case.account.balance_kopecks
    if balance is None:
        balance = telling.occasion.balance_kopecks
    return AutopayUpcoming(
        contract=charge.contract,
        occurred_at=acts.at,
        charge_id=charge.id,
        mandate_id=_mandate_id(charge.mandate_id),
        amount_kopecks=charge.amount_kopecks,
        charge_at=charge.charge_at,
        method_title=acts.case.titles.get(charge.method, ""),
        why=_WHY[charge.why],
        balance_kopecks=balance or 0,
        fees_on=telling.occasion.day if charge.why == "fee" else None,
        skip_url=skip_url(autopay, charge.id, acts.at),
        mandate_url=mandate_url(autopay, charge.contract, acts.at),
    )


def _failed(autopay: Autopay, acts: Acts, telling: Failed) -> AutopayFailed:
    titles = acts.case.titles
    again = telling.again
    other = again is not None and again.method != telling.method
    mandate = acts.case.mandate
    return AutopayFailed(
        contract=acts.case.contract,
        occurred_at=acts.at,
        charge_id=telling.charge_id,
        mandate_id=_mandate_id(None if mandate is None else mandate.id),
        amount_kopecks=telling.amount_kopecks,
        method_title="" if telling.method is None else titles.get(telling.method, ""),
        reason=telling.reason,
        next_try_at=None if again is None else again.charge_at,
        next_method_title=titles.get(again.method, "") if again is not None and other else None,
        needs=telling.needs,
        mandate_url=mandate_url(autopay, acts.case.contract, acts.at),
    )


def _mandate_id(this: UUID | None) -> str:
    return "" if this is None else str(this)
