"""What the environment says of the account."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from gateway_sbp.acquirers.raiffeisen.settings import BANK
from gateway_sbp.bank import Site
from gateway_sbp.settings import Settings
from shared.clock import system_clock
from shared.crypto import new_encryption_key
from shared.gateway.vat import Rate

SAID = {
    "SALDO_BUS_URL": "memory://",
    "SALDO_DATABASE_URL": "sqlite+aiosqlite:///x.db",
    "SALDO_PUBLIC_URL": "https://pay.example.org",
    "SALDO_SIGNING_KEYS": "a signing key of the tests",
    "SALDO_ENCRYPTION_KEYS": new_encryption_key(),
    "SBP_ACQUIRERS": "raiffeisen",
    "RAIFFEISEN_MERCHANT_ID": "MA0000099999",
    "RAIFFEISEN_SECRET_KEY": "sim-secret-key-000000000001",
}


def settings(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> Settings:
    for name, value in {**SAID, **changes}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return Settings()


def account(said: Settings) -> Any:
    site = Site(
        db=SimpleNamespace(),  # type: ignore[arg-type]
        clock=system_clock,
        journal=None,
        callback_url="https://pay.example.org/sbp/callbacks/raiffeisen",
        code_term=timedelta(minutes=30),
        requests_per_second=5,
        create_seconds=15,
        fetch_seconds=8,
        breaker_failures=7,
        breaker_pauses=(timedelta(seconds=3),),
        receipts=True,
    )
    made: Any = BANK.open(said, site)
    return made


def test_an_account_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    made = account(settings(monkeypatch, RAIFFEISEN_API_URL="https://pay-test.raif.ru/api/"))
    assert (made.shop, made.test, made.answer) == ("raiffeisen:MA0000099999", False, b"")
    assert made.till is not None
    assert (made._account.api_url, made._account.breaker_failures) == (
        "https://pay-test.raif.ru/api",
        7,
    )


@pytest.mark.parametrize("name", ["RAIFFEISEN_MERCHANT_ID", "RAIFFEISEN_SECRET_KEY"])
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with pytest.raises(ValidationError, match=name):
        settings(monkeypatch, **{name: None})


def test_words_for_vat_may_be_said(monkeypatch: pytest.MonkeyPatch) -> None:
    made = account(settings(monkeypatch, RAIFFEISEN_VAT_WORDS='{"22/122": "v22122"}'))
    words = made._account.vat_words
    assert (words[Rate(22, calculated=True)], words[Rate(22)]) == ("v22122", "vat22")


@pytest.mark.parametrize("said", ['{"23": "vat23"}', "[]", '{"22": 22}', "vat22"])
def test_words_for_rates_that_there_are_not(monkeypatch: pytest.MonkeyPatch, said: str) -> None:
    with pytest.raises(ValidationError, match=r"vat_words|VAT_WORDS"):
        settings(monkeypatch, RAIFFEISEN_VAT_WORDS=said)


def test_a_receipt_goes_to_no_address_that_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    said = settings(monkeypatch, SBP_RECEIPTS='{"vat": "base"}')
    terms = said.terms(first=True).receipts
    assert terms is not None
    assert (terms.email_max, terms.email_needed) == (64, True)
    assert settings(monkeypatch, SBP_RECEIPTS=None).terms(first=True).receipts is None
