"""Settings and the command line: every mistake is named before anything starts."""

from __future__ import annotations

import argparse
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from autopay import app, show_command
from autopay.settings import Settings
from shared.clock import system_clock
from shared.crypto import new_encryption_key
from shared.errors import SettingsError
from shared.settings import read

if TYPE_CHECKING:
    from conftest import Said, World


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Settings with which autopay would start."""
    return {
        "SALDO_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/{{service}}.db",
        "SALDO_BUS_URL": "memory://",
        "SALDO_PUBLIC_URL": "https://pay.example.org",
        "SALDO_SIGNING_KEYS": "sixteen-characters",
        "SALDO_ENCRYPTION_KEYS": new_encryption_key(),
    }


def _read(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return read(Settings)


def test_a_working_environment(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    said = {"AUTOPAY_NOTICE": "12h", "AUTOPAY_NOTICE_BALANCE": "0s", "AUTOPAY_AMOUNT_MIN": "50.00"}
    rules = app.rules(_read(monkeypatch, {**environment, **said}))
    assert rules.notice.length == timedelta(hours=12)
    assert (rules.notice_balance.length, rules.notice_balance.least) == (timedelta(0),) * 2
    assert rules.limits.amount_min_kopecks == 5_000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTOPAY_NOTICE", "a day"),
        ("AUTOPAY_NOTICE", "8d"),
        ("AUTOPAY_HOURS", "9-21"),
        ("AUTOPAY_NOT_AFTER", "2h"),
        ("AUTOPAY_NOT_AFTER", "0s"),
        ("AUTOPAY_LATE_MAX", "20d"),
        ("AUTOPAY_AMOUNT_MIN", "0.00"),
        ("AUTOPAY_AMOUNT_MAX", "1.00"),
        ("AUTOPAY_AMOUNT_MAX", "10"),
        ("AUTOPAY_LINK_LIFE", "0s"),
        ("AUTOPAY_RETRY_PAYDAYS", "40"),
    ],
)
def test_a_mistake_is_named(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], name: str, value: str
) -> None:
    said = {"AUTOPAY_AMOUNT_MIN": "20.00"} if name == "AUTOPAY_AMOUNT_MAX" else {}
    with pytest.raises(SettingsError, match="AUTOPAY_"):
        _read(monkeypatch, {**environment, **said, name: value})


async def test_the_service_is_built(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    service = app.build(_read(monkeypatch, environment), system_clock)
    assert service.mounts.keys() == {"/autopay"}
    assert {"announce", "request", "look", "unclear", "expiring"} <= {e.name for e in service.loops}
    await service.db.close()


async def test_a_contract_is_shown(
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    light: World,
    said: Said,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = _read(monkeypatch, environment)
    await light.begin()
    await light.hear(said.low())
    parser = argparse.ArgumentParser()
    show_command.COMMAND.configure(parser)
    assert await show_command.run(settings, parser.parse_args([light.NUMBER])) == 0
    shown = capsys.readouterr().out
    assert "balance 50.00" in shown
    assert "mandate" in shown
    assert "occasion balance:1: open" in shown
    assert "600.00, announced" in shown
    assert await show_command.run(settings, parser.parse_args(["7"])) == 1
