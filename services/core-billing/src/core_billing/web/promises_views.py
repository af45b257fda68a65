"""What the addresses of promised payments ask and answer."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from core_billing import promise_rules, promises
from core_billing.amounts import TypedMoney
from core_billing.contracts import Contract
from core_billing.policies import PromiseRule
from core_billing.policy_values import Day
from core_billing.promise_rows import Origin, Promise, Status
from core_billing.promise_rules import Candidate, Wish
from core_billing.registration import Line, Number
from core_billing.rules import Rules
from core_billing.web.views import PageQuery
from shared.errors import Language, SaldoError
from shared.money import RUB, Money, WireMoney


class PromiseAsked(BaseModel):
    """A promised payment that is to be given.

    `by: subscriber` is for the operator's own app: the subscriber's rules hold, and neither an end
    of one's own nor waiving the fee is allowed.
    """

    model_config = ConfigDict(extra="forbid")

    contract: Number
    amount: TypedMoney
    until: Day | None = None
    """The last day on which it holds; by default as many days as the group's setting says."""
    waive_fee: bool = Field(False, strict=True)
    by: Literal["manager", "subscriber"] = "manager"


class PromiseCanceled(BaseModel):
    """Why a promised payment is taken back, and the revision that was seen, if any."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[Line, Field(max_length=1000)] = ""
    revision: int | None = Field(None, ge=0, lt=2**31, strict=True)


class PromisesQuery(PageQuery):
    """Which promised payments: of one contract or all, with one status or any."""

    contract: Number | None = None
    status: Status | None = None


class PromiseView(BaseModel):
    """A promised payment; it moves no money but its fee, which was taken when it was given.

    `owed` is the least sum that settles it now: what is promised and not paid yet, or the debt
    where that is smaller.
    """

    id: str
    contract: str
    status: Status
    amount: WireMoney
    paid: WireMoney
    owed: WireMoney
    fee: WireMoney
    currency: str = RUB
    until: date
    """The last day on which it holds."""
    origin: Origin
    granted_by: str
    granted_at: datetime
    overdue_at: datetime | None
    closed_at: datetime | None
    canceled_by: str | None
    repaid_by: str | None
    """The payment that has settled it."""
    revision: int


class PromisesView(BaseModel):
    """A page of promised payments, newest first; `next_cursor` is null on the last one."""

    items: list[PromiseView]
    next_cursor: str | None


class PromiseActView(BaseModel):
    """A promised payment, and what the contract has after the act."""

    promise: PromiseView
    balance: WireMoney
    available: WireMoney


class PromiseTermsView(BaseModel):
    """What a contract may promise now, or by `code` the rule that says no."""

    allowed: bool
    code: str | None
    detail: str | None
    min: WireMoney
    max: WireMoney
    suggested: WireMoney
    """What is missing with the fee, rounded up to a rouble, within the bounds.

    It covers the fees of services that fall due through `until`.
    """
    fee: WireMoney
    until: date
    until_max: date
    """The latest end that may be chosen; the same as `until` where none may."""


class PromiseOfferView(BaseModel):
    """The promised payment of a contract: the open one, and what is offered to whom."""

    contract: str
    balance: WireMoney
    available: WireMoney
    currency: str = RUB
    current: PromiseView | None
    subscriber: PromiseTermsView
    manager: PromiseTermsView


def promise_view(rules: Rules, one: Promise, own_kopecks: int) -> PromiseView:
    """Return what is shown of a promise; `own_kopecks` is the contract's balance and limit."""
    return PromiseView(
        id=str(one.id),
        contract=one.number,
        status=one.status,
        amount=Money(one.amount_kopecks),
        paid=Money(one.paid_kopecks),
        owed=Money(promise_rules.owed(one, own_kopecks)),
        fee=Money(one.fee_kopecks),
        until=promises.last_day(rules, one),
        origin=Origin(one.origin),
        granted_by=one.granted_by,
        granted_at=one.granted_at.astimezone(UTC),
        overdue_at=one.overdue_at,
        closed_at=one.closed_at,
        canceled_by=one.closed_by,
        repaid_by=None if one.repaid_by is None else str(one.repaid_by),
        revision=one.revision,
    )


def act_view(rules: Rules, one: Promise, now: Contract) -> PromiseActView:
    """Return what is shown after an act on a promise."""
    own = now.balance_kopecks + now.credit_limit_kopecks
    return PromiseActView(
        promise=promise_view(rules, one, own),
        balance=Money(now.balance_kopecks),
        available=Money(now.available_kopecks),
    )


def terms_view(
    rule: PromiseRule, candidate: Candidate, origin: Origin, today: date, language: Language
) -> PromiseTermsView:
    """Return what a contract may promise today on somebody's wish, or which rule says no."""
    least, most = promise_rules.bounds(rule, candidate)
    until = promise_rules.last_day_by_rule(rule, candidate.since, origin, today)
    whole = promise_rules.suggested(rule, candidate, rule.fee.kopecks, until)
    amount = min(whole, max(most, 0))
    latest = promise_rules.last_day_max(rule, today) if origin is Origin.MANAGER else until
    refused: SaldoError | None = None
    try:
        promise_rules.decide(rule, candidate, Wish(origin, amount), today)
    except SaldoError as error:
        refused = error
    return PromiseTermsView(
        allowed=refused is None,
        code=None if refused is None else refused.code,
        detail=None if refused is None else refused.detail.in_(language),
        min=Money(least),
        max=Money(most),
        suggested=Money(amount),
        fee=rule.fee,
        until=until,
        until_max=latest,
    )
