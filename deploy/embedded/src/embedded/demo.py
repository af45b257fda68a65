"""The demo: everything in one process beside the simulators, with data that survive a restart."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Final

import core_billing.app
import simulators.app
from core_billing import contracts, service_changes, tariff_changes, tariffs
from core_billing.fee_calendar import month_of
from core_billing.import_contracts import import_contracts
from core_billing.tariff_changes import NewTariff
from embedded import app
from shared import log
from shared.clock import system_clock
from shared.crypto import new_encryption_key, token_hash
from shared.db import transaction
from shared.errors import SettingsError
from shared.service import serve
from simulators.settings import ACCESS_SECRET, SandboxSettings

TOKEN: Final = "demo"  # noqa: S105 - the demo's sign-ins are public, it listens on loopback only
HOST: Final = "127.0.0.1"
SHOP: Final = ("100500", "test_demo")
MERCHANT: Final = ("MA0000099999", "sim-secret-key-000000000001")
TERMINAL: Final = ("1700000000001DEMO", "SimPassw0rd")
WITH_FEES: Final = "100301"
TARIFF: Final = "Домашний 500"
FEE_KOPECKS: Final = 90_000
_SCOPES: Final = (
    "contracts:write",
    "payments:write",
    "promises:write",
    "mandates:write",
    "preferences:write",
    "settings:write",
    "tariffs:write",
    "blocks:write",
    "audit:read",
    "journal:read",
    "reconciliation:write",
    "messages:read",
    "templates:write",
)


async def run(port: int, data: Path) -> int:
    """Run the demo until it is told to stop; `port` 0 takes a free one."""
    try:
        data.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"{data}: no folder can be made there: {error.strerror}") from error
    port = port or _free_port()
    smtp_port = _free_port()
    os.environ.update(environment(port, smtp_port, data))
    settings = app.read_settings()
    log.configure("embedded", settings.common.log_level)
    await app.migrate(settings)
    await _add_contracts(settings, data)
    await _add_service(settings)
    sandbox = simulators.app.create(
        SandboxSettings(
            public_url=f"http://{HOST}:{port}/sandbox",
            callback_url=f"http://{HOST}:{port}/yookassa/callbacks",
            raiffeisen_callback_url=f"http://{HOST}:{port}/sbp/callbacks/raiffeisen",
            tbank_callback_url=f"http://{HOST}:{port}/sbp/callbacks/tbank",
            store_path=str(data / "sandbox.db"),
            smtp_port=smtp_port,
        )
    )
    process = app.build(settings, system_clock, {"/sandbox": sandbox})
    await serve(process, HOST, port, _welcome)
    return 0


def environment(port: int, smtp_port: int, data: Path) -> dict[str, str]:
    """Return the settings of the demo; what the caller's environment says comes first."""
    base = f"http://{HOST}:{port}"
    tokens = {token_hash(TOKEN): {"name": "demo", "scopes": _SCOPES}}
    chosen = {
        "SALDO_LISTEN": f"{HOST}:{port}",
        "SALDO_DATABASE_URL": f"sqlite+aiosqlite:///{data.resolve()}/{{service}}.db",
        "SALDO_BUS_URL": "memory://",
        "SALDO_PUBLIC_URL": base,
        "SALDO_API_TOKENS": json.dumps(tokens),
        "SALDO_POLL_SECONDS": "1",
        "SALDO_LOG_LEVEL": "WARNING",
        "SALDO_SERVICES": "core-billing,gateway-yookassa,gateway-sbp,autopay,notifier",
        "CORE_BILLING_SAVE_METHODS": "true",
        "GATEWAY_YOOKASSA_SAVE_METHODS": "true",
        "GATEWAY_SBP_SAVE_METHODS": "true",
        "AUTOPAY_NOTICE_BALANCE": "30s",
        "AUTOPAY_HOURS": "00:00-24:00",
        "SBP_ACQUIRERS": "raiffeisen,tbank",
        "RAIFFEISEN_API_URL": f"{base}/sandbox/raiffeisen/api",
        "RAIFFEISEN_MERCHANT_ID": MERCHANT[0],
        "RAIFFEISEN_SECRET_KEY": MERCHANT[1],
        "TBANK_API_URL": f"{base}/sandbox/tbank/v2",
        "TBANK_TERMINAL_KEY": TERMINAL[0],
        "TBANK_PASSWORD": TERMINAL[1],
        "YOOKASSA_API_URL": f"{base}/sandbox/yookassa/v3",
        "YOOKASSA_SHOP_ID": SHOP[0],
        "YOOKASSA_SECRET_KEY": SHOP[1],
        "YOOKASSA_TEST_MODE": "true",
        "YOOKASSA_CALLBACK_NETWORKS": "127.0.0.0/8",
        "SMTP_URL": f"smtp://{HOST}:{smtp_port}",
        "MAIL_FROM": "billing@provider.example",
        "NOTIFIER_OPERATOR_NAME": "Северсеть",
        "NOTIFIER_QUIET_HOURS": "",
        "SMS_PROVIDER": "smsc",
        "SMSC_API_URL": f"{base}/sandbox/smsc",
        "SMSC_LOGIN": "demo",
        "SMSC_PASSWORD": "demo",
        "NOTIFIER_WEBHOOK_URL": f"{base}/sandbox/access",
        "NOTIFIER_WEBHOOK_SECRETS": ACCESS_SECRET,
        **_keys(data / "keys.json"),
    }
    return {name: os.environ.get(name, value) for name, value in chosen.items()}


def _keys(path: Path) -> Mapping[str, str]:
    """Return this demo's own keys, made at its first start and kept with its data."""
    if not path.exists():
        keys = {
            "SALDO_SIGNING_KEYS": secrets.token_urlsafe(32),
            "SALDO_ENCRYPTION_KEYS": new_encryption_key(),
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(keys))
    loaded: dict[str, str] = json.loads(path.read_text())
    return loaded


async def _add_contracts(settings: app.Settings, data: Path) -> None:
    """Import the demo's contracts the way an operator would; a repeat changes nothing."""
    source = resources.files("embedded") / "contracts.csv"
    with resources.as_file(source) as path:
        core = core_billing.app.core(settings.core)
        try:
            await import_contracts(core, path, data / "contracts.rejected.csv")
        finally:
            await core.db.close()


async def _add_service(settings: app.Settings) -> None:
    """Give one contract a monthly fee from the first of the next month; a repeat changes nothing.

    So that there is a fee to come, which autopay can be asked to pay beforehand.
    """
    core = core_billing.app.core(settings.core)
    at = core.clock()
    today = core.rules.day(at)
    first = month_of(today)[1] + timedelta(days=1)
    new = NewTariff(TARIFF, "internet", "monthly", FEE_KOPECKS, False, True)
    try:
        async with transaction(core.db) as tx:
            contract = await contracts.find(tx, WITH_FEES)
            if contract is not None and await tariffs.by_name(tx, TARIFF) is None:
                await tariff_changes.create(tx, new, "demo", at, today)
                await service_changes.begin(tx, contract, TARIFF, first, "demo", at, today)
    finally:
        await core.db.close()


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _welcome(port: int) -> None:
    base = f"http://{HOST}:{port}"
    print(
        f"""
Saldo is running.   Ctrl-C stops it; its data stay in the data folder.

  Subscriber's cabinet   {base}/cabinet/          contract 100245, password demo
  Sandbox                {base}/sandbox/          YooKassa's page, SMS and e-mails
  Messages               {base}/sandbox/messages  what a subscriber would have received
  Access controller      {base}/sandbox/access    whom it keeps out of the network
  API of the billing     {base}/api/v1/docs       Authorization: Bearer {TOKEN}
  API of the gateway     {base}/yookassa/docs
  API of the SBP gateway {base}/sbp/docs
  API of autopay         {base}/autopay/docs
  Declines and outages   {base}/sandbox/yookassa/control/   let the next charge of a card fail
  Banks' apps            {base}/sandbox/raiffeisen/   {base}/sandbox/tbank/
  YooKassa simulator     {base}/sandbox/yookassa/v3   shop {SHOP[0]}, key {SHOP[1]}
  Health and metrics     {base}/readyz   {base}/metrics

  Autopay: top up in the cabinet with "Запомнить карту" ticked, then press "Автоплатёж".
  Contract {WITH_FEES} (password demo) pays {FEE_KOPECKS // 100} roubles on the first of each month.
""",
        flush=True,
    )
