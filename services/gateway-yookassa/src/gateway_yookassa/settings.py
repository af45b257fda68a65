"""What the environment says about YooKassa; without a secret there are no settings at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from gateway_yookassa import wire
from gateway_yookassa.client import Shop
from gateway_yookassa.fiscal import ReceiptSettings
from gateway_yookassa.reconciling import Reconciling
from gateway_yookassa.shops import Methods, ShopSettings, mistakes
from shared.gateway.settings import Pauses, Secret, Sources, named
from shared.gateway.terms import Terms
from shared.money import Money
from shared.settings import Duration, HttpUrl, Json, Network, Roubles

API_URL: Final = "https://api.yookassa.ru/v3"

_SHARED: Final = (
    *("api_url", "test_mode", "requests_per_second"),
    *("amount_min", "amount_max", "receipts"),
    *("methods", "sbp_qr", "capture", "save_methods"),
)
"""What is said once for every shop, and may be said otherwise for one."""
_ACCOUNT: Final = r"^[0-9]{1,20}$"
_SECOND = timedelta(seconds=1)
_MINUTE = timedelta(minutes=1)


class Settings(Reconciling):
    """The gateway's settings."""

    model_config = named("GATEWAY_YOOKASSA_")

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
    amount_min: Roubles = Money(100)
    amount_max: Roubles = Money(35_000_000)

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
