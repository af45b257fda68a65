"""The settings of the processes in a run: documented ones, and only ever made shorter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from faults.owed import Shop
from servers.processes import LOOPBACK

SHOP: Final = Shop("100501", test=False)
SHOP_KEY: Final = "live_faults"
TOKEN: Final = "faults"

SHORTENED: Final[Mapping[str, str]] = {
    "SALDO_POLL_SECONDS": "1",
    "SALDO_RETRY_DELAYS": "1s,2s,5s",
    "YOOKASSA_REQUESTS_PER_SECOND": "200",
    "YOOKASSA_POLL_DELAYS": "6s,9s,12s",
    "GATEWAY_YOOKASSA_CREATE_TIMEOUT": "5s",
    "GATEWAY_YOOKASSA_FETCH_TIMEOUT": "4s",
    "GATEWAY_YOOKASSA_UNCLEAR_DELAYS": "500ms,1s,2s,5s",
    "GATEWAY_YOOKASSA_REPEAT_DELAYS": "10s,20s,30s",
    "GATEWAY_YOOKASSA_DOUBT": "10s",
    "GATEWAY_SBP_REQUESTS_PER_SECOND": "200",
    "GATEWAY_SBP_POLL_DELAYS": "6s,9s,12s",
    "GATEWAY_SBP_CODE_TERM": "150s",
    "GATEWAY_SBP_CREATE_TIMEOUT": "5s",
    "GATEWAY_SBP_FETCH_TIMEOUT": "4s",
    "GATEWAY_SBP_UNCLEAR_DELAYS": "500ms,1s,2s,5s",
    "GATEWAY_SBP_REPEAT_DELAYS": "10s,20s,30s",
    "GATEWAY_SBP_DOUBT": "10s",
    "YOOKASSA_LIST_AFTER": "60s",
    "AUTOPAY_NOT_AFTER": "1m",
    "AUTOPAY_RETRY_SOON": "1s,2s,3s,3s,3s,3s",
    "AUTOPAY_RETRY_HOURS": "2s,3s,4s,4s",
    "AUTOPAY_RETRY_MONTH_MAX": "15",
    "NOTIFIER_SEND_TIMEOUT": "5s",
    "NOTIFIER_RETRY_DELAYS": "1s,2s,5s",
    "NOTIFIER_RECIPIENT_DELAYS": "1s,2s,5s",
}
"""What a real installation has too, with longer times: a run has minutes, not days."""

AT_ANY_HOUR: Final[Mapping[str, str]] = {
    "AUTOPAY_NOTICE_BALANCE": "0s",
    "AUTOPAY_HOURS": "00:00-24:00",
    "NOTIFIER_QUIET_HOURS": "",
    "NOTIFIER_PER_HOUR": "0",
    "NOTIFIER_PER_DAY": "0",
    "NOTIFIER_SMS_PER_SECOND": "1000",
    "NOTIFIER_EMAILS_PER_SECOND": "1000",
}
"""Charges and messages come whenever the run is, unannounced and as often as they must."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything of a run is."""

    sandbox: str
    """With its prefix."""
    public: str
    """What the services believe browsers see."""
    database_url: str
    bus_url: str


def common(addresses: Addresses, services: Iterable[str], banks: Iterable[str]) -> dict[str, str]:
    """Return the settings that every service of a run shares; the first bank makes new codes."""
    token = hashlib.sha256(TOKEN.encode()).hexdigest()
    scopes = ["contracts:write", "payments:write", "mandates:write"]
    return {
        "SALDO_DATABASE_URL": addresses.database_url,
        "SALDO_BUS_URL": addresses.bus_url,
        "SALDO_PUBLIC_URL": addresses.public,
        "SALDO_SERVICES": ",".join(services),
        "SALDO_SIGNING_KEYS": "only for runs of the fault test",
        "SALDO_ENCRYPTION_KEYS": "c2FsZG8tZmF1bHRzLW9ubHktZm9yLWEtdGVzdC1ydW4=",
        "SALDO_API_TOKENS": json.dumps({token: {"name": "faults", "scopes": scopes}}),
        "SALDO_LOG_LEVEL": "WARNING",
        "YOOKASSA_API_URL": f"{addresses.sandbox}/yookassa/v3",
        "YOOKASSA_SHOP_ID": SHOP.id,
        "YOOKASSA_SECRET_KEY": SHOP_KEY,
        "YOOKASSA_TEST_MODE": "false",
        "YOOKASSA_CALLBACK_NETWORKS": f"{LOOPBACK}/32",
        "GATEWAY_YOOKASSA_SAVE_METHODS": "true",
        "SBP_ACQUIRERS": ",".join(banks),
        "RAIFFEISEN_API_URL": f"{addresses.sandbox}/raiffeisen/api",
        "RAIFFEISEN_MERCHANT_ID": "MA0000099999",
        "RAIFFEISEN_SECRET_KEY": "sim-secret-key-000000000001",
        "TBANK_API_URL": f"{addresses.sandbox}/tbank/v2",
        "TBANK_TERMINAL_KEY": "1700000000001DEMO",
        "TBANK_PASSWORD": "SimPassw0rd",
        "SMTP_URL": "log://",
        "MAIL_FROM": "billing@provider.example",
        "SMS_PROVIDER": "smsc",
        "SMSC_API_URL": f"{addresses.sandbox}/smsc",
        "SMSC_LOGIN": "demo",
        "SMSC_PASSWORD": "demo",
        **AT_ANY_HOUR,
        **SHORTENED,
    }


def listening(port: int) -> dict[str, str]:
    """Return the settings of a process that listens on a port."""
    return {"SALDO_LISTEN": f"{LOOPBACK}:{port}"}


def sandbox_command(port: int, gateway_url: str, sbp_url: str, store: Path, seed: int) -> list[str]:
    """Return the command line of the simulators; their own clock runs ten times as fast."""
    return [
        *("-m", "simulators", "--port", str(port), "--store", str(store), "--seed", str(seed)),
        *("--shop", f"{SHOP.id}:{SHOP_KEY}:live", "--time-scale", "0.1"),
        *("--callback-url", f"{gateway_url}/yookassa/callbacks"),
        *("--raiffeisen-callback-url", f"{sbp_url}/sbp/callbacks/raiffeisen"),
        *("--tbank-callback-url", f"{sbp_url}/sbp/callbacks/tbank"),
    ]
