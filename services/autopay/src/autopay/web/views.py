"""What the API answers, as models, and how they are made of what is kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from autopay.case import Charge, State
from autopay.mandate import Mandate, Method, Trigger
from autopay.web.bodies import NamedMethod
from shared.money import RUB, Money, WireMoney


class Words(BaseModel):
    """A sentence for people, in both languages."""

    ru: str
    en: str


class ExplainedLine(BaseModel):
    """A part of a sum; negative for what is there already."""

    ru: str
    en: str
    amount: WireMoney


class MethodView(BaseModel):
    """A saved method that can be charged; `expires` is a card's last month."""

    provider: str
    method_ref: str
    title: str
    kind: str
    expires: str | None


class MethodList(BaseModel):
    """The methods of a contract that can be charged."""

    items: list[MethodView]


class ChargeView(BaseModel):
    """A charge: planned, announced, requested, unclear, succeeded, failed or dropped.

    An unclear one is in flight still. `failure` is soft, hard, shop or stale.
    """

    id: str
    contract: str
    mandate_id: UUID | None
    occasion: str
    number: int
    why: str
    provider: str
    method_ref: str
    amount: WireMoney
    currency: str = RUB
    state: State
    charge_at: AwareDatetime
    created_at: AwareDatetime
    announced_at: AwareDatetime | None
    requested_at: AwareDatetime | None
    concluded_at: AwareDatetime | None
    credited_at: AwareDatetime | None
    reason: str | None
    failure: str | None


class ChargePage(BaseModel):
    """Charges, newest first; `next_cursor` is null on the last page."""

    items: list[ChargeView]
    next_cursor: str | None


class NextCharge(BaseModel):
    """The charge to come. Without `id` it is a day of the calendar that is not planned yet."""

    id: str | None
    state: str
    on: date
    charge_at: AwareDatetime | None
    amount: WireMoney
    currency: str = RUB
    why: Words
    lines: list[ExplainedLine]


class MandateView(BaseModel):
    """A mandate; `state` is active or revoked, and an active one may be paused."""

    id: UUID
    contract: str
    state: str
    revision: int
    trigger: Trigger
    threshold: WireMoney | None
    days_before: int | None
    day_of_month: int | None
    amount: WireMoney | None
    cap: WireMoney
    currency: str = RUB
    method: NamedMethod
    reserve: NamedMethod | None
    timezone: str
    paused_until: date | None
    skip_next: bool
    created_at: AwareDatetime
    changed_at: AwareDatetime
    revoked_at: AwareDatetime | None


class ConsentView(BaseModel):
    """One act of the consent journal, with the terms that held after it.

    `words` is the text of the version, where it is one of ours.
    """

    act: str
    version: str | None
    at: AwareDatetime
    address: str | None
    channel: str
    detail: str | None
    terms: Any
    words: list[Words]


class ConsentList(BaseModel):
    """The journal of a mandate, oldest first: the proof of what was agreed to and refused."""

    mandate_id: UUID
    contract: str
    items: list[ConsentView]


class MandateDetail(MandateView):
    """A mandate with what it comes to: in words, this month's money, the charge to come."""

    condition: Words
    charged_this_month: WireMoney
    left_this_month: WireMoney
    next_charge: NextCharge | None
    consents: list[ConsentView]


class MandatePage(BaseModel):
    """Mandates, newest first; `next_cursor` is null on the last page."""

    items: list[MandateView]
    next_cursor: str | None


def mandate_fields(mandate: Mandate) -> dict[str, Any]:
    """Return what is shown of a mandate."""
    terms = mandate.terms
    return {
        "id": mandate.id,
        "contract": mandate.contract,
        "state": mandate.state,
        "revision": mandate.revision,
        "trigger": terms.trigger,
        "threshold": _money(terms.threshold_kopecks),
        "days_before": terms.days_before,
        "day_of_month": terms.day_of_month,
        "amount": _money(terms.amount_kopecks),
        "cap": Money(terms.cap_kopecks),
        "method": terms.method._asdict(),
        "reserve": None if terms.reserve is None else terms.reserve._asdict(),
        "timezone": terms.timezone,
        "paused_until": mandate.paused_until,
        "skip_next": mandate.skip_next,
        "created_at": mandate.created_at,
        "changed_at": mandate.changed_at,
        "revoked_at": mandate.revoked_at,
    }


def charge_view(charge: Charge) -> ChargeView:
    """Return what is shown of a charge."""
    made = {"provider", "method_ref", "amount", "currency", "reason"}
    same = {name: getattr(charge, name) for name in ChargeView.model_fields if name not in made}
    return ChargeView(
        **same,
        provider=charge.method.provider,
        method_ref=charge.method.method_ref,
        amount=Money(charge.amount_kopecks),
        reason=charge.reason or None,
    )


def method_list(methods: Sequence[Method]) -> MethodList:
    """Return what is shown of methods."""
    items = [
        MethodView(
            provider=one.provider,
            method_ref=one.method_ref,
            title=one.title,
            kind=one.kind,
            expires=one.expires,
        )
        for one in methods
    ]
    return MethodList(items=items)


def _money(kopecks: int | None) -> Money | None:
    return None if kopecks is None else Money(kopecks)
