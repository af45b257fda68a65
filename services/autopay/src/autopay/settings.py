"""Autopay's settings: when charges are said and made, how much, and how patient it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_settings import NoDecode

from autopay.retry_settings import RetrySettings
from autopay.schedule import Hours
from shared.money import Money
from shared.settings import Common, Duration, Roubles


def _hours(value: object) -> object:
    return Hours.read(value) if isinstance(value, str) else value


class Settings(RetrySettings, Common):
    """What autopay reads beside the settings of every service."""

    notice: Duration = Field(
        timedelta(hours=24),
        validation_alias="AUTOPAY_NOTICE",
        ge=timedelta(0),
        le=timedelta(days=7),
        description="how long before a charge for a fee or a day it is said",
    )
    notice_balance: Duration = Field(
        timedelta(hours=1),
        validation_alias="AUTOPAY_NOTICE_BALANCE",
        ge=timedelta(0),
        le=timedelta(days=7),
        description="the same for a low balance, and for a repeated charge; 0s: it is not said",
    )
    notice_least: Duration = Field(
        timedelta(minutes=15),
        validation_alias="AUTOPAY_NOTICE_LEAST",
        ge=timedelta(0),
        description="the notice that is left where the contract would be blocked before",
    )
    hours: Annotated[Hours, NoDecode, BeforeValidator(_hours)] = Field(
        Hours.read("09:00-21:00"),
        validation_alias="AUTOPAY_HOURS",
        description="when charges are said and made, in the mandate's zone",
    )
    not_after: Duration = Field(
        timedelta(minutes=10),
        validation_alias="AUTOPAY_NOT_AFTER",
        ge=timedelta(minutes=1),
        le=timedelta(hours=1),
        description="how long a charge that was asked for may be sent",
    )
    unclear_after: Duration = Field(
        timedelta(hours=1),
        validation_alias="AUTOPAY_UNCLEAR_AFTER",
        gt=timedelta(0),
        description="how long after that a charge without an outcome is an alarm",
    )
    late_max: Duration = Field(
        timedelta(days=3),
        validation_alias="AUTOPAY_LATE_MAX",
        gt=timedelta(0),
        le=timedelta(days=14),
        description="how late a missed day of the calendar is still charged for",
    )
    news_wait: Duration = Field(
        timedelta(hours=1),
        validation_alias="AUTOPAY_NEWS_WAIT",
        gt=timedelta(0),
        description="how long a paid charge may be unposted before other news of the balance count",
    )
    amount_min: Roubles = Field(Money(1_000), validation_alias="AUTOPAY_AMOUNT_MIN")
    amount_max: Roubles = Field(Money(1_500_000), validation_alias="AUTOPAY_AMOUNT_MAX")
    link_life: Duration = Field(
        timedelta(days=30),
        validation_alias="AUTOPAY_LINK_LIFE",
        gt=timedelta(0),
        le=timedelta(days=400),
        description="how long the links in messages work",
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = []
        if not 0 < self.amount_min.kopecks <= self.amount_max.kopecks:
            wrong.append(
                "AUTOPAY_AMOUNT_MIN must be above nothing and not above AUTOPAY_AMOUNT_MAX"
            )
        if wrong:
            raise ValueError("; ".join(wrong))
        return self
