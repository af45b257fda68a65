"""The retry calendar as the environment writes it: `AUTOPAY_RETRY_...`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode

from autopay.reasons import WAYS, Way
from autopay.retry_limits import SCHEME_DAY_MAX, SCHEME_MONTH_MAX, Rules
from shared.settings import Duration, Durations, Json

_DEFAULTS: Final = Rules()


def _time(value: Any) -> Any:
    if isinstance(value, time):
        return value
    try:
        return time.fromisoformat(str(value))
    except ValueError:
        raise ValueError("expected a time of day such as 10:00") from None


def _days(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    days = [part.strip().lower() for part in value.split(",") if part.strip()]
    return tuple("31" if day == "last" else day for day in days)


def _positive(values: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if not values or len(values) > 10 or min(values) <= timedelta(0):
        raise ValueError("expected one to ten lengths of time above nothing")
    return values


_Day = Annotated[int, Field(ge=1, le=31)]
Days = Annotated[tuple[_Day, ...], NoDecode, Field(max_length=31), BeforeValidator(_days)]
"""Days of the month such as ``5,20,last``."""
Steps = Annotated[Durations, AfterValidator(_positive)]


class RetrySettings(BaseSettings):
    """What of the retry calendar can be set; a base of the service's settings."""

    retry_time: Annotated[time, BeforeValidator(_time)] = Field(
        _DEFAULTS.morning,
        validation_alias="AUTOPAY_RETRY_TIME",
        description="when on another day a charge is tried again, in the subscriber's zone",
    )
    retry_paydays: Days = Field(
        _DEFAULTS.paydays,
        validation_alias="AUTOPAY_RETRY_PAYDAYS",
        description="days of the month on which wages are paid",
    )
    retry_day_max: int = Field(
        _DEFAULTS.day_max, validation_alias="AUTOPAY_RETRY_DAY_MAX", ge=1, le=SCHEME_DAY_MAX
    )
    retry_month_max: int = Field(
        _DEFAULTS.month_max, validation_alias="AUTOPAY_RETRY_MONTH_MAX", ge=1, le=SCHEME_MONTH_MAX
    )
    retry_within: Duration = Field(
        _DEFAULTS.within,
        validation_alias="AUTOPAY_RETRY_WITHIN",
        ge=timedelta(0),
        le=timedelta(days=62),
        description="how long one need of money is tried",
    )
    retry_reserve_after: int = Field(
        _DEFAULTS.reserve_after, validation_alias="AUTOPAY_RETRY_RESERVE_AFTER", ge=1, le=15
    )
    retry_soon: Steps = Field(_DEFAULTS.soon, validation_alias="AUTOPAY_RETRY_SOON")
    retry_hours: Steps = Field(_DEFAULTS.hours, validation_alias="AUTOPAY_RETRY_HOURS")
    retry_pauses: Steps = Field(
        _DEFAULTS.pauses,
        validation_alias="AUTOPAY_RETRY_PAUSES",
        description="how long an account waits whose shop is at fault",
    )
    retry_ways: Json[Mapping[str, Way]] = Field(
        {},
        validation_alias="AUTOPAY_RETRY_WAYS",
        description='a reason → how it is gone on with, such as {"general_decline": "never"}',
    )

    def retry_rules(self) -> Rules:
        """Return the retry calendar that is set."""
        return Rules(
            morning=self.retry_time,
            paydays=self.retry_paydays,
            day_max=self.retry_day_max,
            month_max=self.retry_month_max,
            within=self.retry_within,
            reserve_after=self.retry_reserve_after,
            soon=self.retry_soon,
            hours=self.retry_hours,
            pauses=self.retry_pauses,
            ways={**WAYS, **self.retry_ways},
        )
