"""What the environment says about Raiffeisen."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator, Field

from gateway_sbp.acquirer import Acquirer
from gateway_sbp.acquirers.raiffeisen.api import Raiffeisen
from gateway_sbp.acquirers.raiffeisen.merchant import Account
from gateway_sbp.acquirers.raiffeisen.wire import receipts
from gateway_sbp.acquirers.raiffeisen.wire.words import NAME
from gateway_sbp.bank import Bank, Site
from shared.gateway.settings import GatewaySettings, Secret, Sources
from shared.settings import HttpUrl, Json

API_URL: Final = "https://pay.raif.ru/api"
"""Since July 2022; the bank has moved once, and its test host is another."""


def _vat_words(value: dict[str, str]) -> dict[str, str]:
    receipts.words_of(value)
    return value


VatWords = Annotated[dict[str, str], AfterValidator(_vat_words)]


class RaiffeisenSettings(GatewaySettings):
    """The settings of the merchant account at Raiffeisen."""

    raiffeisen_api_url: HttpUrl = Field(API_URL, validation_alias="RAIFFEISEN_API_URL")
    raiffeisen_merchant_id: str | None = Field(
        None, validation_alias="RAIFFEISEN_MERCHANT_ID", pattern=r"^[A-Za-z0-9]{1,12}$"
    )
    raiffeisen_secret_key: Secret | None = Field(None, validation_alias="RAIFFEISEN_SECRET_KEY")
    raiffeisen_callback_networks: Sources = Field(
        None, validation_alias="RAIFFEISEN_CALLBACK_NETWORKS"
    )
    raiffeisen_vat_words: Json[VatWords] = Field({}, validation_alias="RAIFFEISEN_VAT_WORDS")
    """What the bank calls a rate of VAT, where it is not what is built in: `{"22/122": "vat122"}`.
    """


def _missing(settings: RaiffeisenSettings) -> list[str]:
    said = {
        "RAIFFEISEN_MERCHANT_ID": settings.raiffeisen_merchant_id,
        "RAIFFEISEN_SECRET_KEY": settings.raiffeisen_secret_key,
    }
    return [name for name, value in said.items() if value is None]


def _open(settings: RaiffeisenSettings, site: Site) -> Acquirer:
    if settings.raiffeisen_merchant_id is None or settings.raiffeisen_secret_key is None:
        raise ValueError("the account is not configured")
    account = Account(
        merchant_id=settings.raiffeisen_merchant_id,
        secret_key=settings.raiffeisen_secret_key,
        api_url=settings.raiffeisen_api_url.rstrip("/"),
        test=False,
        requests_per_second=site.requests_per_second,
        lifetime=site.code_term,
        create_seconds=site.create_seconds,
        fetch_seconds=site.fetch_seconds,
        breaker_failures=site.breaker_failures,
        breaker_pauses=site.breaker_pauses,
        vat_words=receipts.words_of(settings.raiffeisen_vat_words),
    )
    return Raiffeisen(account, site.db, site.clock, site.journal)


BANK: Final = Bank(NAME, _missing, _open, lambda settings: settings.raiffeisen_callback_networks)
