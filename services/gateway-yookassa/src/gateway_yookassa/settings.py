"""What the environment says about YooKassa; without a secret there are no settings at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    model_validator,
)
from pydantic_settings import NoDecode

from gateway_yookassa import wire
from gateway_yookassa.client import Shop
from gateway_yookassa.fiscal import ReceiptSettings
from gateway_yookassa.reconciling import Reconciling
from gateway_yookassa.shops import Methods, Secret, ShopSettings, mistakes
from shared.gateway.gateway import Timing
from shared.gateway.limits import Limits
from shared.gateway.terms import Terms
from shared.money import Money
from shared.settings import Duration, Durations, HttpUrl, Json, Network, Networks, Roubles

API_URL: Final = "https://api.yookassa.ru/v3"
ANY: Final = "any"

_SHARED: Final = (
    *("api_url", "test_mode", "requests_per_second"),
    *("amount_min", "amount_max", "receipts"),
    *("methods", "sbp_qr", "capture", "save_methods"),
)
"""What is said once for every shop, and may be said otherwise for one."""
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


Pauses = Annotated[Durations, AfterValidator(_pauses)]
Sources = Annotated[Networks | None, NoDecode, BeforeValidator(_networks), AfterValidator(_some)]


class Settings(Reconciling):
    """The gateway's settings."""

    api_url: HttpUrl = Field(API_URL, validation_alias="YOOKASSA_API_URL")
    shop_id: str | None = Field(None, validation_alias="YOOKASSA_SHOP_ID", pattern=_ACCOUNT)
    secret_key: Secret | None = Field(None, validation_alias="YOOKASSA_SECRET_KEY")
    shops: Json[dict[Annotated[str, Field(pattern=_ACCOUNT)], ShopSettings]] = Field(
        {}, validation_alias="YOOKASSA_SHOPS"
    )
    receipts: Json[ReceiptSettings | None] = Field(None, validation_alias="YOOKASSA_RECEIPTS")
    test_mode: bool = Field(False, validation_alias="YOOKASSA_TEST_MODE")
    methods: Methods = Field((), validation_alias="YOOKASSA_METHODS")
    sbp_qr: bool = Field(True, validation_alias="YOOKASSA_SBP_QR")
    capture: bool = Field(True, validation_alias="YOOKASSA_CAPTURE")
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
    hold_warning: Duration = Field(
        timedelta(hours=6), validation_alias="GATEWAY_YOOKASSA_HOLD_WARNING"
    )
    answer_within: Duration = Field(8 * _SECOND, validation_alias="GATEWAY_YOOKASSA_ANSWER_WITHIN")
    contract_wait: Duration = Field(2 * _SECOND, validation_alias="GATEWAY_YOOKASSA_CONTRACT_WAIT")
    save_methods: bool = Field(False, validation_alias="GATEWAY_YOOKASSA_SAVE_METHODS")
    charging_pause: Duration = Field(
        timedelta(hours=1), validation_alias="GATEWAY_YOOKASSA_CHARGING_PAUSE"
    )
    binding_term: Duration = Field(70 * _MINUTE, validation_alias="GATEWAY_YOOKASSA_BINDING_TERM")
    create_timeout: Duration = Field(
        40 * _SECOND, validation_alias="GATEWAY_YOOKASSA_CREATE_TIMEOUT"
    )
    fetch_timeout: Duration = Field(8 * _SECOND, validation_alias="GATEWAY_YOOKASSA_FETCH_TIMEOUT")
    receipt_delays: Pauses = Field(
        (30 * _SECOND, _MINUTE, 5 * _MINUTE, 15 * _MINUTE, 60 * _MINUTE, 180 * _MINUTE),
        validation_alias="GATEWAY_YOOKASSA_RECEIPT_DELAYS",
    )
    receipt_overdue: Duration = Field(
        timedelta(days=3), validation_alias="GATEWAY_YOOKASSA_RECEIPT_OVERDUE"
    )
    breaker_failures: int = Field(
        5, validation_alias="GATEWAY_YOOKASSA_BREAKER_FAILURES", ge=1, le=1000
    )
    breaker_pauses: Pauses = Field(
        tuple(seconds * _SECOND for seconds in (1, 2, 5, 10, 20)),
        validation_alias="GATEWAY_YOOKASSA_BREAKER_PAUSES",
    )
    journal_days: int = Field(90, validation_alias="GATEWAY_YOOKASSA_JOURNAL_DAYS", ge=1, le=3660)
    amount_min: Roubles = Field(Money(100), validation_alias="GATEWAY_YOOKASSA_AMOUNT_MIN")
    amount_max: Roubles = Field(Money(35_000_000), validation_alias="GATEWAY_YOOKASSA_AMOUNT_MAX")

    @model_validator(mode="after")
    def _has_a_shop(self) -> Self:
        if not self.shops and (self.shop_id is None or self.secret_key is None):
            raise ValueError(
                "YOOKASSA_SHOP_ID and YOOKASSA_SECRET_KEY (or YOOKASSA_SHOPS) are required"
            )
        if found := list(mistakes(self._listed())):
            raise ValueError("; ".join(found))
        return self

    def accounts(self) -> tuple[Shop, ...]:
        """Return the shops."""
        return tuple(self._shop(account, said) for account, said in self._listed().items())

    def terms(self) -> dict[str, Terms]:
        """Return what each shop takes, by its name."""
        return {wire.shop_name(account): said.terms() for account, said in self._listed().items()}

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
            receipts=self.receipt_delays,
            receipt_overdue=self.receipt_overdue,
            poll_seconds=self.poll_seconds,
            hold_warning=self.hold_warning,
            charging_pause=self.charging_pause,
            binding_term=self.binding_term,
        )

    @property
    def journal_kept(self) -> timedelta:
        """How long the journal is kept."""
        return timedelta(days=self.journal_days)

    def limits(self) -> Limits:
        """Return what is taken from callers."""
        return Limits(self.public_url, self.contract_wait, self.trusted_proxies)

    def networks(self) -> tuple[Network, ...] | None:
        """Return the networks callbacks may come from; None for any."""
        return self.callback_networks

    def _listed(self) -> dict[str, ShopSettings]:
        """Return the shops with everything said: what one leaves out, the single names say."""
        listed: dict[str, ShopSettings] = {}
        if self.shop_id is not None and self.secret_key is not None:
            listed[self.shop_id] = ShopSettings(secret_key=self.secret_key)
        defaults = {name: getattr(self, name) for name in _SHARED}
        both = (listed | self.shops).items()
        return {account: said.or_else(defaults) for account, said in both}

    def _shop(self, account: str, said: ShopSettings) -> Shop:
        return Shop(
            account_id=account,
            secret_key=said.secret_key,
            api_url=said.api_url or self.api_url,
            test=bool(said.test_mode),
            requests_per_second=said.requests_per_second or self.requests_per_second,
            create_seconds=self.create_timeout.total_seconds(),
            fetch_seconds=self.fetch_timeout.total_seconds(),
            breaker_failures=self.breaker_failures,
            breaker_pauses=self.breaker_pauses,
        )
