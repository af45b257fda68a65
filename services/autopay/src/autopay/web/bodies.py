"""What the API is asked, as models: the OpenAPI document is made from them."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from autopay.case import State
from autopay.mandate import MethodName, Terms, Trigger
from shared.gateway.forms import Agreed, Amount, Body, Currency, Line
from shared.money import RUB, Money

PAGE_MAX: Final = 200
PATIENT: Final = date(2100, 1, 1)

Until = Annotated[date, Field(lt=PATIENT)]
Length = Annotated[int, Field(ge=1, le=PAGE_MAX)]
Cursor = Annotated[str, Field(max_length=200)]


class NamedMethod(Body):
    """A saved card or account, by the account it was saved at and the gateway's id of it."""

    provider: Line
    method_ref: Line

    def name(self) -> MethodName:
        """Return it as terms have it."""
        return MethodName(self.provider, self.method_ref)


class TermsBody(Body):
    """When, how much and from what is charged.

    `threshold` belongs to the trigger `balance`, `days_before` to `fee`, `day_of_month` to `day`;
    without `amount` each charge is as much as is needed, which `day` does not allow. `cap` is the
    most of a calendar month, in the zone of `timezone`: the subscriber's own where none is said.
    """

    trigger: Trigger
    threshold: Amount | None = None
    days_before: Annotated[int, Field(ge=1, le=28)] | None = None
    day_of_month: Annotated[int, Field(ge=1, le=31)] | None = None
    amount: Amount | None = None
    cap: Amount
    currency: Currency = RUB
    method: NamedMethod
    reserve: NamedMethod | None = None
    timezone: Line | None = None
    consent: Agreed

    def terms(self, timezone: str) -> Terms:
        """Return the terms, in the subscriber's zone where the caller says none."""
        return Terms(
            trigger=self.trigger,
            cap_kopecks=self.cap.kopecks,
            method=self.method.name(),
            reserve=None if self.reserve is None else self.reserve.name(),
            threshold_kopecks=_kopecks(self.threshold),
            days_before=self.days_before,
            day_of_month=self.day_of_month,
            amount_kopecks=_kopecks(self.amount),
            timezone=self.timezone or timezone,
        )


class NewMandate(TermsBody):
    """A mandate to be made, and the subscriber's consent, for which the caller vouches."""

    contract: Line


class ChangedMandate(TermsBody):
    """Other terms for a mandate; `revision` is the one you have looked at."""

    revision: Annotated[int, Field(ge=1, lt=2**63)]


class Pausing(Body):
    """The first day on which charges are made again, in the mandate's zone."""

    until: Until
    consent: Agreed | None = None


class MandatesQuery(BaseModel):
    """Which mandates are wanted."""

    model_config = ConfigDict(extra="forbid")

    contract: Line | None = None
    state: Literal["active", "revoked"] | None = None
    limit: Length = 50
    cursor: Cursor | None = None


class ChargesQuery(BaseModel):
    """Which charges are wanted."""

    model_config = ConfigDict(extra="forbid")

    contract: Line | None = None
    mandate: UUID | None = None
    state: State | None = None
    limit: Length = 50
    cursor: Cursor | None = None


class SkipQuery(BaseModel):
    """Which charge is left out; the next one where none is named."""

    model_config = ConfigDict(extra="forbid")

    charge: Line | None = None


class OfContract(BaseModel):
    """Whose methods are meant."""

    model_config = ConfigDict(extra="forbid")

    contract: Line


def _kopecks(amount: Money | None) -> int | None:
    return None if amount is None else amount.kopecks
