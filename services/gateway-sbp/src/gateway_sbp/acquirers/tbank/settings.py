"""What the environment says about T-Bank."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from gateway_sbp.acquirer import Acquirer
from gateway_sbp.acquirers.tbank.api import Account, TBank
from gateway_sbp.acquirers.tbank.wire.words import NAME
from gateway_sbp.bank import Bank, Site
from shared.gateway.settings import GatewaySettings, Secret, Sources
from shared.settings import HttpUrl

API_URL: Final = "https://securepay.tinkoff.ru/v2"


class TBankSettings(GatewaySettings):
    """The settings of the terminal at T-Bank."""

    tbank_api_url: HttpUrl = Field(API_URL, validation_alias="TBANK_API_URL")
    tbank_terminal_key: str | None = Field(
        None, validation_alias="TBANK_TERMINAL_KEY", pattern=r"^[A-Za-z0-9]{1,20}$"
    )
    tbank_password: Secret | None = Field(None, validation_alias="TBANK_PASSWORD")
    tbank_notification_url: HttpUrl | None = Field(None, validation_alias="TBANK_NOTIFICATION_URL")
    """Sent with each payment where the terminal itself has no address; bindings need that one."""
    tbank_callback_networks: Sources = Field(None, validation_alias="TBANK_CALLBACK_NETWORKS")


def _missing(settings: TBankSettings) -> list[str]:
    said = {
        "TBANK_TERMINAL_KEY": settings.tbank_terminal_key,
        "TBANK_PASSWORD": settings.tbank_password,
    }
    return [name for name, value in said.items() if value is None]


def _open(settings: TBankSettings, site: Site) -> Acquirer:
    if settings.tbank_terminal_key is None or settings.tbank_password is None:
        raise ValueError("the terminal is not configured")
    account = Account(
        terminal_key=settings.tbank_terminal_key,
        password=settings.tbank_password,
        api_url=settings.tbank_api_url.rstrip("/"),
        test=False,
        requests_per_second=site.requests_per_second,
        lifetime=site.code_term,
        create_seconds=site.create_seconds,
        fetch_seconds=site.fetch_seconds,
        notification_url=settings.tbank_notification_url,
    )
    return TBank(account, site.db, site.clock, site.journal)


BANK: Final = Bank(NAME, _missing, _open, lambda settings: settings.tbank_callback_networks)
