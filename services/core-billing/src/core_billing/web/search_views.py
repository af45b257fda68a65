"""Payments looked for: what is asked of the list and of exports, and what is answered."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from core_billing.amounts import TypedMoney
from core_billing.export import Encoding, Format
from core_billing.payment_filter import Filter, Kind, Status
from core_billing.payment_list import PAGE_MAX
from core_billing.policy_values import Day
from core_billing.registration import Line, Number
from core_billing.rules import Rules
from core_billing.web.exporting import Language
from shared.errors import Refusal
from shared.money import RUB, WireMoney

RANGE_REVERSED: Final = Refusal(
    "range_reversed",
    422,
    "{low} must not be above {high}: swap them",
    "{low} не может быть больше {high}: поменяйте их местами",
)

Word = Annotated[Line, Field(min_length=1, max_length=128)]
Period = Annotated[Day, Field(ge=date(2000, 1, 1), le=date(2999, 12, 31))]
"""A day of the billing, as a bound of a period; both bounds belong to it."""


class PaymentFilter(BaseModel):
    """Which payments: all that is given must hold; with nothing, all money from outside."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    contract: Number | None = None
    """Who holds it, or held it before it was annulled."""
    provider: Word | None = None
    provider_payment_id: Word | None = None
    kind: Kind | None = None
    """Openings, transfers and write-offs are shown only when they are asked for."""
    method: Word | None = None
    category: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    manager: Word | None = None
    amount_from: TypedMoney | None = None
    amount_to: TypedMoney | None = None
    paid_from: Period | None = None
    paid_to: Period | None = None
    registered_from: Period | None = None
    registered_to: Period | None = None
    receipt_number: Word | None = None
    payment_order_number: Word | None = None
    order_id: Word | None = None
    status: Status | None = None
    q: Word | None = None
    """An id as it is, or a part of the receipt's or order's number or of the comment."""


class PaymentsQuery(PaymentFilter):
    """A page of payments; `totals=true` counts and sums all that is asked for."""

    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None
    limit: int = Field(50, ge=1, le=PAGE_MAX)
    totals: bool = False


class PaymentsExport(PaymentFilter):
    """A file of payments; the encoding of CSV is that of the manager's setting if not given."""

    format: Format = "csv"
    encoding: Encoding | None = None
    lang: Language = "ru"


class HolderView(BaseModel):
    """Who holds a part of the payment's money now: a contract, or an account such as suspense."""

    contract: str | None
    account: str
    amount: WireMoney


class RefundView(BaseModel):
    """A refund of the payment: requested, succeeded or failed."""

    refund_id: str | None
    provider_refund_id: str | None
    amount: WireMoney
    status: str


class PaymentView(BaseModel):
    """A payment as it stands now; `holders` hold what refunds have left of it.

    Its id is that of its first revision; `amount` is zero where it is annulled, and of a transfer
    what it has moved.
    """

    model_config = ConfigDict(use_attribute_docstrings=True)

    id: str
    kind: str
    provider: str | None
    provider_payment_id: str | None
    reference: str
    order_id: str | None
    amount: WireMoney
    currency: str = RUB
    status: str
    """posted: all of it is on contracts; suspense: all or part is held, `reason` says why;
    annulled."""
    reason: str | None
    revision: int
    method: str
    category: int
    category_name: str | None
    paid_at: datetime
    registered_at: datetime
    manager: str | None
    """Who has taken or entered it."""
    receipt_number: str | None
    payment_order_number: str | None
    comment: str | None
    corrected_by: str | None
    """Who has written the newest revision, where it is not the first."""
    corrected_at: datetime | None
    correction: str | None
    correction_reason: str | None
    holders: list[HolderView]
    refunds: list[RefundView]


class UncreditedView(BaseModel):
    """What a provider said about this id and was not credited, for a person to look at."""

    provider: str
    provider_payment_id: str
    amount: WireMoney
    currency: str = RUB
    reason: str
    contract: str | None
    paid_at: datetime
    seen_at: datetime


class TotalsView(BaseModel):
    """All that was asked for, not only this page: how many, and what stands of them."""

    count: int
    amount: WireMoney
    currency: str = RUB


class PaymentsView(BaseModel):
    """A page of payments, newest first; `next_cursor` is null on the last one.

    An id that a provider gave is answered on one page without `next_cursor`, and with what was
    said under it and not credited.
    """

    items: list[PaymentView]
    uncredited: list[UncreditedView]
    next_cursor: str | None = None
    totals: TotalsView | None = None


def filter_of(asked: PaymentFilter, contract_id: int | None, rules: Rules) -> Filter:
    """Return what is asked of the ledger; raises the refusal `range_reversed`."""
    for name in ("amount", "paid", "registered"):
        low, high = (getattr(asked, f"{name}_{end}") for end in ("from", "to"))
        if low is not None and high is not None and low > high:
            raise RANGE_REVERSED(low=f"{name}_from", high=f"{name}_to")
    same = ("provider", "kind", "method", "category", "manager", "order_id", "status")
    numbers = ("receipt_number", "payment_order_number")
    return Filter(
        contract_id=contract_id,
        external_id=asked.provider_payment_id,
        text=asked.q,
        amount_from=None if asked.amount_from is None else asked.amount_from.kopecks,
        amount_to=None if asked.amount_to is None else asked.amount_to.kopecks,
        paid_from=begins(rules, asked.paid_from),
        paid_before=ends(rules, asked.paid_to),
        registered_from=begins(rules, asked.registered_from),
        registered_before=ends(rules, asked.registered_to),
        **{name: getattr(asked, name) for name in (*same, *numbers)},
    )


def begins(rules: Rules, day: date | None) -> datetime | None:
    """Return the moment at which a day begins."""
    return None if day is None else rules.start(day)


def ends(rules: Rules, day: date | None) -> datetime | None:
    """Return the moment at which the day after begins."""
    return None if day is None else rules.start(day + timedelta(days=1))
