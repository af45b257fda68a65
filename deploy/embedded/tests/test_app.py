"""What runs in one process, and what each service is told of the others."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from embedded import app, demo
from shared.clock import system_clock
from shared.errors import SettingsError
from shared.service import Process

EVERYTHING = ("core-billing", "gateway-yookassa", "gateway-sbp", "autopay", "notifier")


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    """The demo's environment; nothing of the caller's own."""
    return demo.environment(8080, 2525, tmp_path)


def read(monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str]) -> app.Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return app.read_settings()


async def built(settings: app.Settings) -> Process:
    process = app.build(settings, system_clock)
    for service in process.services:
        await service.db.close()
    return process


def told(settings: app.Settings) -> set[tuple[str, ...]]:
    """Return the services that are named to any of them."""
    each = (settings.core, settings.gateway, settings.sbp, settings.autopay, settings.notifier)
    return {one.services for one in each if one is not None}


async def test_the_demo_runs_everything(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    settings = read(monkeypatch, given)
    process = await built(settings)
    assert tuple(service.name for service in process.services) == EVERYTHING
    assert settings.packages == tuple(name.replace("-", "_") for name in EVERYTHING)
    assert told(settings) == {EVERYTHING}
    assert settings.core.save_methods
    assert all(terms.saves for terms in settings.gateway.terms().values())


async def test_autopay_runs_where_it_is_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str]
) -> None:
    named = "core-billing,gateway-yookassa,notifier"
    quiet = {"SALDO_SERVICES": named, "CORE_BILLING_SAVE_METHODS": "false", "SBP_ACQUIRERS": ""}
    settings = read(monkeypatch, given | quiet)
    process = await built(settings)
    assert ",".join(service.name for service in process.services) == named
    assert "/autopay" not in {path for service in process.services for path in service.mounts}
    assert settings.autopay is None


@pytest.mark.parametrize("said", ["core-billing,notifier", None])
async def test_what_runs_is_told_to_all_whoever_is_named(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], said: str | None
) -> None:
    """A payment through SBP would never be acknowledged by a billing that knows of no SBP."""
    quiet = {"CORE_BILLING_SAVE_METHODS": "false"}
    del given["SALDO_SERVICES"]
    settings = read(monkeypatch, given | quiet | ({"SALDO_SERVICES": said} if said else {}))
    running = ("core-billing", "gateway-yookassa", "gateway-sbp", "notifier")
    assert told(settings) == {running}
    assert settings.core.topology().bound("payment.posted") == running[1:]


@pytest.mark.parametrize("named", ["gateway-sbp", "gateway-sbp,autopay"])
async def test_a_named_service_that_would_not_run_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], named: str
) -> None:
    """Its queue would be declared and never be emptied: the bus would not become usable."""
    changed = {"SALDO_SERVICES": f"core-billing,{named}", "SBP_ACQUIRERS": ""}
    quiet = {"CORE_BILLING_SAVE_METHODS": "false"}
    with pytest.raises(SettingsError, match=r"gateway-sbp would not run.*SBP_ACQUIRERS"):
        read(monkeypatch, given | changed | quiet)
