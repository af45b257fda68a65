"""The notifier's settings: where messages leave, and how patient it is with them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from notifier.channel_settings import ChannelSettings, WebhookSecrets, WebhookUrl
from notifier.kinds import AGE_MAX
from notifier.settings_rules import RuleSettings
from shared.settings import Duration, Durations


def _not_empty(value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if not value:
        raise ValueError("expected at least one length of time")
    return value


def _within_an_hour(value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if not all(timedelta(0) < each <= timedelta(hours=1) for each in value):
        raise ValueError("expected lengths of time of more than nothing and at most 1h")
    return value


Delays = Annotated[Durations, AfterValidator(_not_empty)]
WebhookDelays = Annotated[Delays, AfterValidator(_within_an_hour)]


class Settings(ChannelSettings, RuleSettings):
    """What the notifier reads beside the settings of every service."""

    operator_name: str = Field(
        "Saldo", validation_alias="NOTIFIER_OPERATOR_NAME", min_length=1, max_length=100
    )
    operator_names: dict[str, str] = Field(
        {},
        validation_alias="NOTIFIER_OPERATOR_NAMES",
        description="JSON: a contract's operator → the name its messages carry",
    )
    sms_per_second: int = Field(5, validation_alias="NOTIFIER_SMS_PER_SECOND", ge=1, le=1000)
    sms_price_kopecks: int | None = Field(
        None,
        validation_alias="NOTIFIER_SMS_PRICE_KOPECKS",
        description="what one part of an SMS costs, shown where texts are edited",
        ge=0,
        le=100_000,
    )
    emails_per_second: int = Field(10, validation_alias="NOTIFIER_EMAILS_PER_SECOND", ge=1, le=1000)
    send_timeout: Duration = Field(
        timedelta(seconds=15),
        validation_alias="NOTIFIER_SEND_TIMEOUT",
        gt=timedelta(0),
        le=timedelta(minutes=1),
    )
    attempts_max: int = Field(9, validation_alias="NOTIFIER_ATTEMPTS_MAX", ge=1, le=100)
    delivery_delays: Delays = Field(
        tuple(timedelta(minutes=m) for m in (0.5, 2, 10, 30, 60, 120, 240, 480)),
        validation_alias="NOTIFIER_RETRY_DELAYS",
    )
    recipient_delays: Delays = Field(
        tuple(timedelta(seconds=s) for s in (5, 15, 60, 300, 1800)),
        validation_alias="NOTIFIER_RECIPIENT_DELAYS",
    )
    recipient_wait: Duration = Field(timedelta(days=1), validation_alias="NOTIFIER_RECIPIENT_WAIT")
    payment_max_age: Duration = Field(
        timedelta(days=3), validation_alias="NOTIFIER_PAYMENT_MAX_AGE", gt=timedelta(0)
    )
    low_balance_max_age: Duration = Field(
        timedelta(days=1), validation_alias="NOTIFIER_LOW_BALANCE_MAX_AGE", gt=timedelta(0)
    )
    keep_messages: Duration = Field(timedelta(days=180), validation_alias="NOTIFIER_KEEP_MESSAGES")

    webhook_url: WebhookUrl = Field(
        SecretStr(""),
        validation_alias="NOTIFIER_WEBHOOK_URL",
        description="the access controller that is told who is blocked; empty: nobody is told",
    )
    webhook_secrets: WebhookSecrets = Field(
        (),
        validation_alias="NOTIFIER_WEBHOOK_SECRETS",
        description="whsec_... of Standard Webhooks, newest first; each of them signs",
    )
    webhook_timeout: Duration = Field(
        timedelta(seconds=15),
        validation_alias="NOTIFIER_WEBHOOK_TIMEOUT",
        gt=timedelta(0),
        le=timedelta(minutes=1),
    )
    webhook_delays: WebhookDelays = Field(
        tuple(timedelta(seconds=s) for s in (5, 30, 120, 300, 900)),
        validation_alias="NOTIFIER_WEBHOOK_DELAYS",
    )
    webhook_parallel: int = Field(8, validation_alias="NOTIFIER_WEBHOOK_PARALLEL", ge=1, le=64)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        wrong = self.wrong_channels()
        if "bot" in self.channels and self.bot_url is None:
            wrong.append("NOTIFIER_CHANNELS names bot: say NOTIFIER_BOT_URL, too")
        if "webhook" in self.channels and not self.messages_webhook_url.get_secret_value():
            wrong.append("NOTIFIER_CHANNELS names webhook: say NOTIFIER_MESSAGES_WEBHOOK_URL, too")
        longest = max(self.payment_max_age, self.low_balance_max_age, AGE_MAX)
        if self.keep_messages < 2 * longest:
            wrong.append(
                f"NOTIFIER_KEEP_MESSAGES must be at least twice NOTIFIER_PAYMENT_MAX_AGE and "
                f"NOTIFIER_LOW_BALANCE_MAX_AGE, and {2 * AGE_MAX.days} days: "
                "a forgotten message could be sent again"
            )
        if self.webhook_url.get_secret_value() and not self.webhook_secrets:
            wrong.append("NOTIFIER_WEBHOOK_URL needs NOTIFIER_WEBHOOK_SECRETS")
        if wrong:
            raise ValueError("; ".join(wrong))
        return self
