"""The values of the settings that managers change: their shapes and their bounds. Pure."""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from core_billing.amounts import TypedMoney
from core_billing.registration import AMOUNT_MAX, Wrong
from shared.money import Money

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def _typed_day(value: Any) -> Any:
    """Read a day as people write it: pydantic would take numbers for seconds, too."""
    if type(value) is date:
        return value
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise Wrong("a day such as 2026-11-22", "день вида 2026-11-22")


def _not_negative(value: Money) -> Money:
    if not 0 <= value.kopecks <= AMOUNT_MAX.kopecks:
        raise Wrong(f"from 0.00 to {AMOUNT_MAX}", f"от 0.00 до {AMOUNT_MAX}")
    return value


def _positive(value: Money) -> Money:
    if not 0 < value.kopecks <= AMOUNT_MAX.kopecks:
        raise Wrong(f"from 0.01 to {AMOUNT_MAX}", f"от 0.01 до {AMOUNT_MAX}")
    return value


Day = Annotated[date, BeforeValidator(_typed_day)]
NotNegative = Annotated[TypedMoney, AfterValidator(_not_negative)]
Positive = Annotated[TypedMoney, AfterValidator(_positive)]
Flag = Annotated[bool, Field(strict=True)]
CategoryId = Annotated[int, Field(ge=0, lt=2**31, strict=True)]


class Mode(StrEnum):
    """How the recommended payment is computed, see `recommend`."""

    DEBT = "debt"
    TO_PERIOD_END = "debt_to_period_end"
    NEXT_PERIOD = "debt_plus_next_period"
    N_PERIODS = "n_periods"
    FIXED = "fixed"


class Recommended(BaseModel):
    """How much a subscriber is advised to pay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: Mode = Mode.NEXT_PERIOD
    periods: int = Field(1, ge=1, le=24)
    """For `n_periods`."""
    fixed: NotNegative = Money(50_000)
    """For `fixed`."""
    surplus: NotNegative = Money(0)
    """Added where anything is due at all."""
    round_up_to: Positive = Money(100)
    minimum: NotNegative = Money(100)
    """The least payment that is offered."""


class PromiseRule(BaseModel):
    """Under which conditions a group of subscribers may promise to pay."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by_subscriber: bool = False
    by_manager: bool = True
    automatic: bool = False
    """Whether a contract may opt in to be given one by itself before it is blocked."""
    min: NotNegative = Money(0)
    max: NotNegative = Money(0)
    """Both bounds must be above zero, else promises count as not configured."""
    within_fees: bool = False
    """Not more than the largest monthly fee on the contract."""
    debt_limit: NotNegative | None = None
    """Refused to a contract that owes this much or more."""
    contract_days: int = Field(0, ge=0, le=3650)
    """Days a contract must exist before."""
    days: int = Field(3, ge=1, le=92)
    """Days within which it must be repaid."""
    manager_days: int = Field(31, ge=1, le=366)
    """How many days away a manager may set an end of his own."""
    days_per_year: int = Field(0, ge=0, le=31)
    """Further days for each full year of the contract, for an automatic promise."""
    pause_days: int = Field(0, ge=0, le=365)
    """Days after one that was overdue during which there is no other."""
    per_days: int = Field(0, ge=0, le=366)
    count: int = Field(0, ge=0, le=100)
    """At most `count` in `per_days` days; zero sets no bound."""
    fee: NotNegative = Money(0)

    @model_validator(mode="after")
    def _bounds_in_order(self) -> PromiseRule:
        if self.min > self.max:
            raise Wrong("min is above max: swap them", "min больше max: поменяйте их местами")
        return self


class BlockMode(StrEnum):
    """When a contract is cut off."""

    BELOW_ZERO = "below_zero"
    AFTER_DAYS = "after_days"
    ABOVE_SUM = "above_sum"
    NEVER = "never"


MonthDay = Annotated[str, Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$")]


class BlockRule(BaseModel):
    """When a contract that has run out of money is cut off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mode: BlockMode = BlockMode.BELOW_ZERO
    days: int = Field(0, ge=0, le=366)
    """For `after_days`: full days below zero before it is cut off."""
    sum: NotNegative = Money(0)
    """For `above_sum`: cut off when it lacks more than this."""


class BlockCalendar(BaseModel):
    """When nobody is cut off, and for how little."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = True
    minimum_debt: NotNegative = Money(0)
    """Who lacks less than this is left alone."""
    weekdays: tuple[Annotated[int, Field(ge=1, le=7)], ...] = Field((), max_length=7)
    """Days of the week on which nobody is cut off: 1 is Monday."""
    dates: tuple[Day, ...] = Field((), max_length=400)
    yearly: tuple[MonthDay, ...] = Field((), max_length=366)
    """Days of every year, such as 01-01."""
