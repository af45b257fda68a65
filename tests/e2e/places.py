"""Where a journey takes place: one embedded process, or every service alone behind an ingress."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import aiohttp

from e2e.ingress import ingress
from faults.supervised import Supervised, run_once
from servers.guardian import Guardian
from servers.processes import LOOPBACK, free_ports, last_lines
from shared.crypto import token_hash

SERVICES: Final[Mapping[str, Sequence[str]]] = {
    "core_billing": ("cabinet", "api"),
    "gateway_yookassa": ("yookassa",),
    "gateway_sbp": ("sbp",),
    "autopay": ("autopay",),
    "notifier": ("notifier",),
}
"""Import name → the first path segments that the ingress routes to it."""

TOKEN: Final = "demo"
_KEYS: Final = {
    "SALDO_SIGNING_KEYS": "only for the journeys of tests",
    "SALDO_ENCRYPTION_KEYS": "c2FsZG8tZmF1bHRzLW9ubHktZm9yLWEtdGVzdC1ydW4=",
}
Start = Callable[[str, Sequence[str], Mapping[str, str], str], Awaitable[Supervised]]
"""Name, command, settings, address that answers once it is ready → the process."""

_CALLER: Final = {
    "name": "journeys",
    "scopes": ["contracts:write", "payments:write", "mandates:write"],
}
_AUTOPAY: Final = {"AUTOPAY_NOTICE_BALANCE": "2s", "AUTOPAY_HOURS": "00:00-24:00"}
"""A charge comes soon after it was announced, at whatever hour the tests run."""
_ALARMS = re.compile(r"^saldo_alarms_total\{.*\} (?!0\.0)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Account:
    """A subscriber's contract, and where messages about it go."""

    contract: str
    phone: str
    email: str
    password: str = "demo"


DEMO: Final = Account("100245", "+79161234567", "anna@subscriber.example")
"""The contract that the demo prints."""


@dataclass
class Place:
    """A running installation."""

    url: str
    """What a browser sees."""
    processes: Sequence[Supervised]
    metrics: Sequence[str]
    core: Mapping[str, str]
    """Settings with which core-billing's commands reach its database."""

    async def open_contract(self, number: str, balance: str) -> Account:
        """Open a contract through the API, with a phone and an e-mail of its own."""
        account = Account(number, f"+7916{number:0>7}", f"{number}@subscriber.example")
        body = {
            "number": number,
            "subscriber": {"name": "Анна Соколова", "phone": account.phone, "email": account.email},
            "balance": balance,
            "password": account.password,
        }
        headers = {"Authorization": f"Bearer {TOKEN}"}
        address = f"{self.url}/api/v1/contracts"
        async with (
            aiohttp.ClientSession() as api,
            api.post(address, json=body, headers=headers) as answer,
        ):
            assert answer.status == 201, await answer.text()
        return account

    def verify(self) -> str:
        """Prove every kept balance from its postings; raises ServerFailed where one is wrong."""
        return run_once(["-m", "core_billing", "verify"], self.core)

    async def alarms(self) -> list[str]:
        """Return what asks for a person, and what has crashed."""
        found = [f"{one.name} ended with {one.ended}" for one in self.processes if one.ended]
        async with aiohttp.ClientSession() as session:
            for address in self.metrics:
                async with session.get(address) as answer:
                    text = await answer.text()
                found += [line for line in text.splitlines() if _ALARMS.match(line)]
        return found


@asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[Place]:
    """Start the demo as a newcomer does: one process, SQLite, the simulators inside it."""
    async with _stage(folder) as start:
        (port,) = free_ports(1)
        url, data = _url(port), folder / "data"
        command = ["-m", "embedded", "demo", "--port", str(port), "--data", str(data)]
        process = await start("embedded", command, _AUTOPAY, f"{url}/readyz")
        core = {
            "SALDO_DATABASE_URL": f"sqlite+aiosqlite:///{data}/{{service}}.db",
            "SALDO_BUS_URL": "memory://",
            "SALDO_PUBLIC_URL": url,
            **_KEYS,
        }
        yield Place(url, [process], [f"{url}/metrics"], core)


@asynccontextmanager
async def real(
    folder: Path, database: Callable[[str], str], bus_url: str, namespace: str
) -> AsyncIterator[Place]:
    """Start every service as a process of its own, on PostgreSQL and RabbitMQ."""
    public, sandbox_port, smtp_port, *ports = free_ports(3 + len(SERVICES))
    sandbox = f"{_url(sandbox_port)}/sandbox"
    urls = {name: _url(port) for name, port in zip(SERVICES, ports, strict=True)}
    routes = {"sandbox": _url(sandbox_port)}
    routes |= {part: urls[name] for name, parts in SERVICES.items() for part in parts}
    common = _settings(_url(public), sandbox, smtp_port) | {
        "SALDO_BUS_URL": bus_url,
        "SALDO_BUS_NAMESPACE": namespace,
    }
    given = {
        name: common
        | {
            "SALDO_DATABASE_URL": database(name),
            "SALDO_LISTEN": urls[name].removeprefix("http://"),
        }
        for name in SERVICES
    }
    for name in SERVICES:
        run_once(["-m", name, "migrate"], given[name])
    async with ingress(public, routes) as url, _stage(folder) as start:
        command = _sandbox(sandbox_port, smtp_port, url)
        processes = [await start("simulators", command, {}, f"{sandbox}/messages.json")]
        for name in SERVICES:
            answers_at = f"{urls[name]}/readyz"
            processes.append(await start(name, ["-m", name, "serve"], given[name], answers_at))
        _import_contracts(folder, given["core_billing"])
        metrics = [f"{address}/metrics" for address in urls.values()]
        yield Place(url, processes, metrics, given["core_billing"])


def _settings(public: str, sandbox: str, smtp_port: int) -> dict[str, str]:
    return {
        "SALDO_PUBLIC_URL": public,
        "SALDO_POLL_SECONDS": "1",
        "SALDO_LOG_LEVEL": "INFO",
        "SALDO_TRUSTED_PROXIES": f"{LOOPBACK}/32",
        "YOOKASSA_API_URL": f"{sandbox}/yookassa/v3",
        "YOOKASSA_SHOP_ID": "100500",
        "YOOKASSA_SECRET_KEY": "test_demo",
        "YOOKASSA_TEST_MODE": "true",
        "YOOKASSA_CALLBACK_NETWORKS": f"{LOOPBACK}/32",
        "SALDO_SERVICES": ",".join(name.replace("_", "-") for name in SERVICES),
        "CORE_BILLING_SAVE_METHODS": "true",
        "GATEWAY_YOOKASSA_SAVE_METHODS": "true",
        "SBP_ACQUIRERS": "raiffeisen,tbank",
        "RAIFFEISEN_API_URL": f"{sandbox}/raiffeisen/api",
        "RAIFFEISEN_MERCHANT_ID": "MA0000099999",
        "RAIFFEISEN_SECRET_KEY": "sim-secret-key-000000000001",
        "TBANK_API_URL": f"{sandbox}/tbank/v2",
        "TBANK_TERMINAL_KEY": "1700000000001DEMO",
        "TBANK_PASSWORD": "SimPassw0rd",
        "SMTP_URL": f"smtp://{LOOPBACK}:{smtp_port}",
        "MAIL_FROM": "billing@provider.example",
        "SMS_PROVIDER": "smsc",
        "NOTIFIER_QUIET_HOURS": "",
        "SMSC_API_URL": f"{sandbox}/smsc",
        "SMSC_LOGIN": "demo",
        "SMSC_PASSWORD": "demo",
        "SALDO_API_TOKENS": json.dumps({token_hash(TOKEN): _CALLER}),
        **_AUTOPAY,
        **_KEYS,
    }


def _sandbox(port: int, smtp_port: int, public: str) -> list[str]:
    return [
        *("-m", "simulators", "--port", str(port), "--smtp-port", str(smtp_port)),
        *("--public-url", f"{public}/sandbox"),
        *("--callback-url", f"{public}/yookassa/callbacks"),
        *("--raiffeisen-callback-url", f"{public}/sbp/callbacks/raiffeisen"),
        *("--tbank-callback-url", f"{public}/sbp/callbacks/tbank"),
    ]


def _import_contracts(folder: Path, core: Mapping[str, str]) -> None:
    """Import the demo's contracts the way an operator does."""
    file = folder / "contracts.csv"
    file.write_bytes((resources.files("embedded") / "contracts.csv").read_bytes())
    run_once(["-m", "core_billing", "import-contracts", str(file)], core)


@asynccontextmanager
async def _stage(folder: Path) -> AsyncIterator[Start]:
    """Yield what starts a process; each stops in order at the end, or with us if we are killed."""
    async with AsyncExitStack() as stack:
        guardian = Guardian(folder / "removed by the guardian")
        stack.callback(guardian.close)

        async def start(
            name: str, command: Sequence[str], settings: Mapping[str, str], answers_at: str
        ) -> Supervised:
            log = folder / f"{name}.log"
            process = Supervised(name, command, settings, answers_at, log, guardian)
            stack.push_async_callback(_stop, process)
            await process.start()
            return process

        yield start


async def _stop(process: Supervised) -> None:
    status = await process.stop()
    assert status == 0, f"{process.name} ended with {status}:\n{last_lines(process.log)}"


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"
