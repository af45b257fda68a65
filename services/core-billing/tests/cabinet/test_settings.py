"""The operator's limits of a top-up come from the environment and fit each other."""

from __future__ import annotations

import pytest

from core_billing import app
from core_billing.settings import Settings
from core_billing.web.visit import CABINET
from shared.crypto import new_encryption_key
from shared.errors import SettingsError
from shared.settings import read

NEEDED = {
    "SALDO_DATABASE_URL": "sqlite+aiosqlite:///./never-opened.db",
    "SALDO_BUS_URL": "memory://",
    "SALDO_PUBLIC_URL": "https://pay.example.ru",
    "SALDO_SIGNING_KEYS": "a signing key of tests",
}


def given(monkeypatch: pytest.MonkeyPatch, **more: str) -> Settings:
    """Read settings from an environment that holds nothing else."""
    keys = {"SALDO_ENCRYPTION_KEYS": new_encryption_key()}
    for name, value in {**NEEDED, **keys, **more}.items():
        monkeypatch.setenv(name, value)
    return read(Settings)


async def test_the_limits_reach_the_cabinet(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = {"MIN": "10.00", "SUGGESTED": "300.00", "MAX": "5000.00"}
    named = {f"CORE_BILLING_TOPUP_{name}": value for name, value in limits.items()}
    service = app.build(given(monkeypatch, **named))
    cabinet = service.mounts["/cabinet"][CABINET]
    assert (cabinet.amounts.least_kopecks, cabinet.amounts.most_kopecks) == (1000, 500000)
    assert cabinet.suggested_kopecks == 30000
    await service.db.close()


@pytest.mark.parametrize(
    ("name", "value"),
    [("MIN", "0.00"), ("MIN", "600.00"), ("MAX", "499.99"), ("SUGGESTED", "100000.01")],
)
def test_limits_that_do_not_fit_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(SettingsError, match="CORE_BILLING_TOPUP_MIN"):
        given(monkeypatch, **{f"CORE_BILLING_TOPUP_{name}": value})


async def test_cards_are_saved_only_for_autopay(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {"CORE_BILLING_SAVE_METHODS": "true"}
    with pytest.raises(SettingsError, match="SALDO_SERVICES"):
        given(monkeypatch, **wanted)
    deployed = ("core-billing,gateway-sbp,autopay", "core-billing,gateway-yookassa,autopay")
    for services, saves in zip(deployed, (False, True), strict=True):
        service = app.build(given(monkeypatch, SALDO_SERVICES=services, **wanted))
        cabinet = service.mounts["/cabinet"][CABINET]
        assert (cabinet.saves, "autopay" in cabinet.services) == (saves, True)
        await service.db.close()
