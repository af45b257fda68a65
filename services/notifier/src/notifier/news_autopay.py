"""What the events of autopay and of saved methods tell a subscriber. Pure.

Each function answers None for what nobody is told.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from notifier import facts
from notifier.declines import OF_CHARGES
from notifier.news import News
from shared.events import EventData
from shared.events_autopay import AutopayExpiring, AutopayFailed, AutopayUpcoming, MandateRevoked
from shared.events_gateway import PaymentMethodRevoked, PaymentMethodSaved


def _before(body: AutopayUpcoming) -> News:
    fact = facts.AutopayBefore(
        amount_kopecks=body.amount_kopecks,
        charge_at=body.charge_at,
        method_title=body.method_title,
        why=body.why,
        balance_kopecks=body.balance_kopecks,
        fees_on=body.fees_on,
        skip_url=body.skip_url,
        mandate_url=body.mandate_url,
    )
    return News("autopay_before", body.charge_id, fact, body.charge_at)


def _failed(body: AutopayFailed) -> News:
    fact = facts.AutopayFailed(
        amount_kopecks=body.amount_kopecks,
        method_title=body.method_title,
        reason=body.reason,
        next_try_at=body.next_try_at,
        next_method_title=body.next_method_title,
        needs=body.needs,
        mandate_url=body.mandate_url,
    )
    return News("autopay_failed", body.charge_id, fact)


def _expiring(body: AutopayExpiring) -> News:
    fact = facts.AutopayExpiring(
        method_title=body.method_title, expires=body.expires, mandate_url=body.mandate_url
    )
    name = f"{body.mandate_id}:{body.expires}:{body.method_title}"
    return News("autopay_expiring", name, fact)


def _off(body: MandateRevoked) -> News:
    fact = facts.AutopayOff(methods=len(body.methods), at=body.occurred_at)
    return News("autopay_off", body.mandate_id, fact)


def _saved(body: PaymentMethodSaved) -> News:
    fact = facts.Method(method_title=body.title, at=body.occurred_at)
    return News("method_saved", f"{body.provider}:{body.method_ref}", fact)


def _removed(body: PaymentMethodRevoked) -> News | None:
    # What a decline has ended is told with the charge that failed, and what to do about it.
    if body.reason in OF_CHARGES:
        return None
    fact = facts.Method(method_title=body.title, at=body.occurred_at)
    return News("method_removed", f"{body.provider}:{body.method_ref}", fact)


TELLERS: Final[tuple[tuple[type[EventData], Callable[[Any], News | None]], ...]] = (
    (AutopayUpcoming, _before),
    (AutopayFailed, _failed),
    (AutopayExpiring, _expiring),
    (MandateRevoked, _off),
    (PaymentMethodSaved, _saved),
    (PaymentMethodRevoked, _removed),
)
