"""What core-billing reads from the environment, beside what every service does."""

from __future__ import annotations

from typing import Annotated, Any, Self
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, model_validator

from shared.clock import MOSCOW
from shared.money import Money
from shared.settings import Common, Roubles


def _zone(value: Any) -> ZoneInfo:
    try:
        return value if isinstance(value, ZoneInfo) else ZoneInfo(str(value))
    except (ValueError, OSError):
        raise ValueError("expected a time zone such as Asia/Yekaterinburg") from None


Zone = Annotated[ZoneInfo, BeforeValidator(_zone)]


class Settings(Common):
    """Settings of core-billing."""

    margin_percent: int = Field(
        10,
        validation_alias="CORE_BILLING_MARGIN_PERCENT",
        ge=0,
        le=1000,
        description="how far above its threshold a balance counts as recovered",
    )
    topup_min: Roubles = Field(Money(100), validation_alias="CORE_BILLING_TOPUP_MIN")
    topup_max: Roubles = Field(Money(10_000_000), validation_alias="CORE_BILLING_TOPUP_MAX")
    topup_suggested: Roubles = Field(
        Money(50_000),
        validation_alias="CORE_BILLING_TOPUP_SUGGESTED",
        description="filled into the cabinet's form where nothing is missing",
    )

    save_methods: bool = Field(
        False,
        validation_alias="CORE_BILLING_SAVE_METHODS",
        description="ask in the cabinet for leave to save the card of a top-up for autopay",
    )

    timezone: Zone = Field(
        MOSCOW,
        validation_alias="CORE_BILLING_TIMEZONE",
        description="where the billing's day begins",
    )
    low_balance_days: int = Field(
        3,
        validation_alias="CORE_BILLING_LOW_BALANCE_DAYS",
        ge=0,
        le=60,
        description="days before a block on which a subscriber hears of it; 0 is not at all",
    )
    fee_notice_days: int = Field(
        3,
        validation_alias="CORE_BILLING_FEE_NOTICE_DAYS",
        ge=0,
        le=60,
        description="days before fees that the money does not cover; 0 is not at all",
    )
    statement_day: int = Field(
        1,
        validation_alias="CORE_BILLING_STATEMENT_DAY",
        ge=0,
        le=28,
        description="the day on which the statement of the month before is ready; 0 is never",
    )
    statement_hour: int = Field(9, validation_alias="CORE_BILLING_STATEMENT_HOUR", ge=0, le=23)
    block_seconds: float = Field(
        10.0,
        validation_alias="CORE_BILLING_BLOCK_SECONDS",
        gt=0,
        le=3600,
        description="how often contracts without money are looked for, to block them",
    )

    @model_validator(mode="after")
    def _amounts_fit(self) -> Self:
        if not Money(0) < self.topup_min <= self.topup_suggested <= self.topup_max:
            raise ValueError(
                "expected 0 < CORE_BILLING_TOPUP_MIN <= CORE_BILLING_TOPUP_SUGGESTED"
                " <= CORE_BILLING_TOPUP_MAX"
            )
        return self

    @model_validator(mode="after")
    def _saved_cards_have_a_use(self) -> Self:
        # The consent names the page of autopay as the place to refuse.
        if self.save_methods and "autopay" not in self.services:
            raise ValueError(
                "CORE_BILLING_SAVE_METHODS saves cards for autopay: name it in SALDO_SERVICES"
            )
        return self
