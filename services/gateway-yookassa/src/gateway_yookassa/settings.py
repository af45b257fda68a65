"""What the environment says about YooKassa; without a secret there are no settings at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    model_validator,
)
from pydantic_settings import NoDecode

from gateway_yookassa.api import Shop
from shared.gateway.gateway import Timing
from shared.gateway.limits import Limits
from shared.money import Money
from shared.settings import Common, Duration, Durations, HttpUrl, Json, Network, Networks, Roubles

API_URL: Final = "https://api.yookassa.ru/v3"
ANY: Final = "any"

_ACCOUNT: Final = r"^[0-9]{1,20}$"
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


def _networks(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() == ANY else value


def _some(value: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    if value == ():
        raise ValueError("name the provider's networks, or any")
    return value


def _pauses(value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if not value or any(pause <= timedelta(0) for pause in value):
        raise ValueError("one or more pauses above zero, such as 20s,40s,1m")
    return value


def _secret(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("must not be empty")
    return value


Pauses = Annotated[Durations, AfterValidator(_pauses)]
Secret = Annotated[SecretStr, AfterValidator(_secret)]
Sources = Annotated[Networks | None, NoDecode, BeforeValidator(_networks), AfterValidator(_some)]


class ShopSettings(BaseModel):
    """One of several shops; what is not said is taken from the single names."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    secret_key: Secret
    api_url: HttpUrl | None = None
    test_mode: bool | None = None


class Settings(Common):
    """The gateway's settings."""

    api_url: HttpUrl = Field(API_URL, validation_alias="YOOKASSA_API_URL")
    shop_id: str | None = Field(None, validation_alias="YOOKASSA_SHOP_ID", pattern=_ACCOUNT)
    secret_key: Secret | None = Field(None, validation_alias="YOOKASSA_SECRET_KEY")
    shops: Json[dict[Annotated[str, Field(pattern=_ACCOUNT)], ShopSettings]] = Field(
        {}, validation_alias="YOOKASSA_SHOPS"
    )
    test_mode: bool = Field(False, validation_alias="YOOKASSA_TEST_MODE")
    callback_networks: Sources = Field(validation_alias="YOOKASSA_CALLBACK_NETWORKS")
    requests_per_second: float = Field(
        10, validation_alias="YOOKASSA_REQUESTS_PER_SECOND", gt=0, le=10_000
    )
    poll_delays: Pauses = Field(
        (20 * _SECOND, 40 * _SECOND, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE),
        validation_alias="YOOKASSA_POLL_DELAYS",
    )
    list_after: Duration = Field(timedelta(hours=23), validation_alias="YOOKASSA_LIST_AFTER")
    unclear_delays: Pauses = Field(
        tuple(seconds * _SECOND for seconds in (2, 5, 15, 30, 60, 120, 300, 600)),
        validation_alias="GATEWAY_YOOKASSA_UNCLEAR_DELAYS",
    )
    stale_delays: Pauses = Field(
        (0.3 * _SECOND, _SECOND, 2 * _SECOND, 5 * _SECOND),
        validation_alias="GATEWAY_YOOKASSA_STALE_DELAYS",
    )
    repeat_delays: Pauses = Field(
        (_MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE, 60 * _MINUTE),
        validation_alias="GATEWAY_YOOKASSA_REPEAT_DELAYS",
    )
    doubt: Duration = Field(2 * _MINUTE, validation_alias="GATEWAY_YOOKASSA_DOUBT")
    acknowledged_within: Duration = Field(
        timedelta(hours=1), validation_alias="GATEWAY_YOOKASSA_ACKNOWLEDGED_WITHIN"
    )
    answer_within: Duration = Field(8 * _SECOND, validation_alias="GATEWAY_YOOKASSA_ANSWER_WITHIN")
    contract_wait: Duration = Field(2 * _SECOND, validation_alias="GATEWAY_YOOKASSA_CONTRACT_WAIT")
    create_timeout: Duration = Field(
        40 * _SECOND, validation_alias="GATEWAY_YOOKASSA_CREATE_TIMEOUT"
    )
    fetch_timeout: Duration = Field(8 * _SECOND, validation_alias="GATEWAY_YOOKASSA_FETCH_TIMEOUT")
    amount_min: Roubles = Field(Money(100), validation_alias="GATEWAY_YOOKASSA_AMOUNT_MIN")
    amount_max: Roubles = Field(Money(35_000_000), validation_alias="GATEWAY_YOOKASSA_AMOUNT_MAX")

    @model_validator(mode="after")
    def _has_a_shop(self) -> Self:
        if not self.shops and (self.shop_id is None or self.secret_key is None):
            raise ValueError(
                "YOOKASSA_SHOP_ID and YOOKASSA_SECRET_KEY (or YOOKASSA_SHOPS) are required"
            )
        if not Money(0) < self.amount_min <= self.amount_max:
            raise ValueError(
                "GATEWAY_YOOKASSA_AMOUNT_MIN must be above zero"
                " and not above GATEWAY_YOOKASSA_AMOUNT_MAX"
            )
        return self

    def accounts(self) -> tuple[Shop, ...]:
        """Return the shops; the first one makes new payments."""
        listed: dict[str, ShopSettings] = {}
        if self.shop_id is not None and self.secret_key is not None:
            listed[self.shop_id] = ShopSettings(secret_key=self.secret_key)
        listed |= self.shops
        return tuple(self._shop(account, said) for account, said in listed.items())

    def timing(self) -> Timing:
        """Return how long things wait."""
        return Timing(
            poll=self.poll_delays,
            retry=self.unclear_delays,
            stale=self.stale_delays,
            repeat=self.repeat_delays,
            list_after=self.list_after,
            doubt=self.doubt,
            acknowledged_within=self.acknowledged_within,
            answer_within=self.answer_within,
            create_lease=2 * self.create_timeout,
            fetch_lease=2 * self.fetch_timeout,
            poll_seconds=self.poll_seconds,
        )

    def limits(self) -> Limits:
        """Return what is taken from callers."""
        return Limits(self.amount_min, self.amount_max, self.public_url, self.contract_wait)

    def networks(self) -> tuple[Network, ...] | None:
        """Return the networks callbacks may come from; None for any."""
        return self.callback_networks

    def _shop(self, account: str, said: ShopSettings) -> Shop:
        return Shop(
            account_id=account,
            secret_key=said.secret_key,
            api_url=said.api_url or self.api_url,
            test=self.test_mode if said.test_mode is None else said.test_mode,
            requests_per_second=self.requests_per_second,
            create_seconds=self.create_timeout.total_seconds(),
            fetch_seconds=self.fetch_timeout.total_seconds(),
        )
