"""What the environment says about the bank."""

from __future__ import annotations

from pydantic import Field

from gateway_sbp import settings as gateway
from gateway_sbp.acquirer import Acquirer
from gateway_sbp.bank import Bank, Site
from shared.gateway.settings import Secret
from shared.settings import HttpUrl
from third_bank.api import Lastochka
from third_bank.wire import NAME


class Settings(gateway.Settings):
    """The gateway's settings and the new bank's."""

    lastochka_api_url: HttpUrl = Field(validation_alias="LASTOCHKA_API_URL")
    lastochka_merchant: str = Field("M1", validation_alias="LASTOCHKA_MERCHANT")
    lastochka_key: Secret | None = Field(None, validation_alias="LASTOCHKA_KEY")


def _missing(settings: Settings) -> list[str]:
    return [] if settings.lastochka_key is not None else ["LASTOCHKA_KEY"]


def _open(settings: Settings, site: Site) -> Acquirer:
    assert settings.lastochka_key is not None
    key = settings.lastochka_key.get_secret_value()
    return Lastochka(settings.lastochka_merchant, key, settings.lastochka_api_url, site)


BANK = Bank(NAME, _missing, _open, lambda _: None)
Settings.banks = {**gateway.Settings.banks, NAME: BANK}
