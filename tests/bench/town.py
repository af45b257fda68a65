"""Real processes on the run's own servers: the gateway, core-billing and the simulated YooKassa."""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import aiohttp

from bench.books import FIRST_CONTRACT
from bench.stand import Stand, value
from faults.supervised import Supervised, run_once
from servers.databases import address_of
from servers.processes import LOOPBACK, ServerFailed, free_ports

CORE: Final = "core_billing"
GATEWAY: Final = "gateway_yookassa"
SHOP: Final = "100500"
CALLBACKS: Final = "/yookassa/callbacks"
PAID: Final = "650.00"

_PACKAGES: Final = (CORE, GATEWAY)
_KEY: Final = "live_bench"
_TOKEN: Final = "bench"
_AT_ONCE: Final = 16
_HEARD_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Town:
    """Where the processes are, and how to speak to them."""

    gateway_url: str
    sandbox_url: str
    databases: Mapping[str, str]
    """Import name → address."""
    session: aiohttp.ClientSession
    contracts: int
    _turn: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(_AT_ONCE))

    async def make_payments(self, count: int) -> list[str]:
        """Have the gateway make payments; return the provider's ids. Raises ServerFailed."""
        return list(await asyncio.gather(*(self._make(number) for number in range(count))))

    async def control(self, method: str, path: str, body: Any) -> None:
        """Ask something of the simulator; raises ServerFailed where it does not do it."""
        address = f"{self.sandbox_url}/yookassa/control{path}"
        async with self.session.request(method, address, json=body) as answer:
            if answer.status != 200:
                raise ServerFailed(f"{method} {path}: {answer.status} {await answer.text()}")

    async def _make(self, number: int) -> str:
        wanted = {
            "contract": str(FIRST_CONTRACT + number % self.contracts),
            "amount": PAID,
            "return_url": f"{self.gateway_url}/cabinet/",
        }
        headers = {"Authorization": f"Bearer {_TOKEN}", "Idempotency-Key": str(uuid4())}
        address = f"{self.gateway_url}/yookassa/v1/payments"
        async with (
            self._turn,
            self.session.post(address, json=wanted, headers=headers) as answer,
        ):
            if answer.status != 201:
                raise ServerFailed(f"a payment: {answer.status} {await answer.text()}")
            return str((await answer.json())["provider_payment_id"])


@asynccontextmanager
async def town(
    stand: Stand, contracts: int, further: Mapping[str, str] | None = None
) -> AsyncIterator[Town]:
    """Start the processes with contracts everybody knows; `further` are settings of a row."""
    sandbox, *ports = free_ports(1 + len(_PACKAGES))
    urls = {package: _url(port) for package, port in zip(_PACKAGES, ports, strict=True)}
    run = secrets.token_hex(3)
    names = address_of(stand.server, f"bench_{run}_{{service}}").replace("%7B", "{")
    settings = _settings(stand, names.replace("%7D", "}"), run, urls[GATEWAY], _url(sandbox))
    settings |= further or {}
    for package in _PACKAGES:
        await asyncio.to_thread(run_once, ["-m", package, "migrate"], settings)
    await asyncio.to_thread(_open_contracts, stand.folder, settings, contracts)
    processes = [
        _sandbox(stand, sandbox, urls[GATEWAY]),
        *(_service(stand, package, settings, urls[package]) for package in _PACKAGES),
    ]
    async with AsyncExitStack() as stack:
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        for process in processes:
            stack.push_async_callback(process.stop)
            await process.start()
        databases = {
            package: settings["SALDO_DATABASE_URL"].replace("{service}", package)
            for package in _PACKAGES
        }
        ready = Town(urls[GATEWAY], f"{_url(sandbox)}/sandbox", databases, session, contracts)
        await _until_heard(ready)
        yield ready


def _settings(
    stand: Stand, database_url: str, run: str, gateway_url: str, sandbox_url: str
) -> dict[str, str]:
    token = hashlib.sha256(_TOKEN.encode()).hexdigest()
    scopes = ["contracts:write", "payments:write"]
    return {
        "SALDO_DATABASE_URL": database_url,
        "SALDO_BUS_URL": stand.broker,
        "SALDO_BUS_NAMESPACE": f"bench-{run}",
        "SALDO_PUBLIC_URL": gateway_url,
        "SALDO_SERVICES": "core-billing,gateway-yookassa",
        "SALDO_SIGNING_KEYS": "a key of nothing but the bench",
        "SALDO_ENCRYPTION_KEYS": "c2FsZG8tYmVuY2gtb25seS1mb3ItYS10ZXN0LXJ1bi4=",
        "SALDO_API_TOKENS": json.dumps({token: {"name": "bench", "scopes": scopes}}),
        "YOOKASSA_API_URL": f"{sandbox_url}/sandbox/yookassa/v3",
        "YOOKASSA_SHOP_ID": SHOP,
        "YOOKASSA_SECRET_KEY": _KEY,
        "YOOKASSA_TEST_MODE": "false",
        "YOOKASSA_CALLBACK_NETWORKS": f"{LOOPBACK}/32",
    }


def _open_contracts(folder: Path, settings: Mapping[str, str], count: int) -> None:
    file = folder / "contracts.csv"
    lines = [f"{FIRST_CONTRACT + number};Абонент {number}" for number in range(count)]
    file.write_text("\n".join(["number;name", *lines, ""]))
    run_once(["-m", CORE, "import-contracts", str(file)], settings)


async def _until_heard(town: Town) -> None:
    """Wait until the gateway knows the contracts from the bus; raises ServerFailed."""
    try:
        async with asyncio.timeout(_HEARD_SECONDS):
            while await _count(town.databases[GATEWAY], "contract") < town.contracts:  # noqa: ASYNC110 - in a database
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise ServerFailed("the gateway has not heard of the contracts") from None


async def _count(url: str, table: str) -> int:
    return await asyncio.to_thread(value, url, f"SELECT count(*) FROM {table}")


def _service(stand: Stand, package: str, settings: Mapping[str, str], url: str) -> Supervised:
    own = dict(settings) | {"SALDO_LISTEN": url.removeprefix("http://")}
    log, command = stand.folder / f"{package}.log", ["-m", package, "serve"]
    return Supervised(package, command, own, f"{url}/readyz", log, stand.guardian)


def _sandbox(stand: Stand, port: int, gateway_url: str) -> Supervised:
    command: Sequence[str] = (
        *("-m", "simulators", "--port", str(port), "--shop", f"{SHOP}:{_KEY}:live"),
        *("--callback-url", f"{gateway_url}{CALLBACKS}"),
    )
    ready = f"{_url(port)}/sandbox/yookassa/control/clock"
    log = stand.folder / "sandbox.log"
    return Supervised("sandbox", command, {}, ready, log, stand.guardian)


def _url(port: int) -> str:
    return f"http://{LOOPBACK}:{port}"
