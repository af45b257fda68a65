"""The service as a whole: what it serves, what it describes, what it must be told."""

from __future__ import annotations

from typing import Any

import pytest
from openapi_spec_validator import validate

from gateway_sbp.settings import Settings
from shared.errors import SettingsError
from shared.settings import read

NEEDED = {
    "raiffeisen": ("RAIFFEISEN_MERCHANT_ID", "RAIFFEISEN_SECRET_KEY"),
    "tbank": ("TBANK_TERMINAL_KEY", "TBANK_PASSWORD"),
}


async def test_the_api_is_described(start: Any) -> None:
    place = await start()
    async with place.http.get(f"{place.url}/sbp/openapi.json") as answer:
        document = await answer.json()
    validate(document)
    paths = {path.removeprefix("/sbp") for path in document["paths"]}
    assert {
        *("/v1/payments", "/v1/payments/{id}", "/v1/payments/{id}/refunds"),
        *("/v1/contracts/{number}/qr.svg", "/v1/contracts/{number}/qr.png"),
        *("/v1/sheets", "/v1/sheets/{id}", "/v1/methods", "/v1/reconciliation/registers"),
    } <= paths


@pytest.mark.parametrize("bank", NEEDED)
async def test_a_bank_without_its_secret_does_not_start(
    start: Any, monkeypatch: pytest.MonkeyPatch, bank: str
) -> None:
    await start()
    monkeypatch.setenv("SBP_ACQUIRERS", bank)
    for name in NEEDED[bank]:
        monkeypatch.delenv(name)
    with pytest.raises(SettingsError) as refused:
        read(Settings)
    assert all(name in str(refused.value) for name in NEEDED[bank])


@pytest.mark.parametrize("said", ["", "raiffeisen,raiffeisen", "sber", "raiffeisen,sber"])
async def test_banks_that_are_none_are_refused(
    start: Any, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    await start()
    monkeypatch.setenv("SBP_ACQUIRERS", said)
    with pytest.raises(SettingsError, match="SBP_ACQUIRERS"):
        read(Settings)


async def test_what_is_shared_has_this_gateway_s_name(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start()
    monkeypatch.setenv("GATEWAY_SBP_JOURNAL_DAYS", "7")
    monkeypatch.setenv("GATEWAY_YOOKASSA_JOURNAL_DAYS", "8")
    assert read(Settings).journal_kept.days == 7


async def test_a_service_that_runs_hears_the_bus_where_nothing_is_said(
    start: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await start()
    monkeypatch.delenv("SALDO_SERVICES", raising=False)
    assert "gateway-sbp" in read(Settings).topology("gateway-sbp").services
    monkeypatch.setenv("SALDO_SERVICES", "core-billing,notifier")
    assert "gateway-sbp" not in read(Settings).topology("gateway-sbp").services
