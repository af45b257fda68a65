"""The whole gateway beside YooKassa's simulator: HTTP between them, either database below."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from sqlalchemy import select

from gateway_yookassa.app import build
from gateway_yookassa.settings import Settings
from servers import databases
from servers.processes import free_ports, run_aside
from shared import problem
from shared.clock import system_clock
from shared.crypto import Link, new_encryption_key, token_hash, write_link
from shared.db import open_database, reading, transaction
from shared.events import ContractChanged, Event, decode
from shared.gateway import directory, rest, work
from shared.gateway.gateway import Gateway
from shared.loop import run_loop
from shared.outbox import outbox
from shared.runner import Runner
from simulators import harness
from simulators.harness import Sandbox

SECONDS = 20
KEY = new_encryption_key()
ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
TABLES = [table.name for schema in work.SCHEMAS for table in schema.sorted_tables]
SCOPES = ["payments:write", "journal:read", "reconciliation:write"]
HURRY = {
    "YOOKASSA_POLL_DELAYS": "1s,2s",
    "GATEWAY_YOOKASSA_UNCLEAR_DELAYS": "100ms,200ms",
    "GATEWAY_YOOKASSA_STALE_DELAYS": "50ms,100ms",
    "GATEWAY_YOOKASSA_ANSWER_WITHIN": "5s",
    "GATEWAY_YOOKASSA_CONTRACT_WAIT": "0s",
    "GATEWAY_YOOKASSA_CREATE_TIMEOUT": "2s",
    "GATEWAY_YOOKASSA_FETCH_TIMEOUT": "2s",
    "YOOKASSA_REQUESTS_PER_SECOND": "500",
    # A dozen loops that look more often than this are what keeps the machine busy.
    "SALDO_POLL_SECONDS": "0.25",
    "GATEWAY_YOOKASSA_SWEEP_AT": "off",
}


@dataclass
class Installation:
    """A running gateway, and what its callers see of it."""

    url: str
    gateway: Gateway
    sandbox: Sandbox
    http: aiohttp.ClientSession

    async def make(self, amount: str = "650.00", **more: Any) -> tuple[int, dict[str, Any]]:
        """Ask for a payment over the API."""
        body = {"contract": "100245", "amount": amount, "return_url": f"{self.url}/cabinet/"}
        headers = {"Authorization": "Bearer demo", **more.pop("headers", {})}
        address = f"{self.url}/yookassa/v1/payments"
        async with self.http.post(address, json={**body, **more}, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def look(self, payment_id: str) -> dict[str, Any]:
        """Look at a payment over the API."""
        address = f"{self.url}/yookassa/v1/payments/{payment_id}"
        async with self.http.get(address, headers={"Authorization": "Bearer demo"}) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    def order(self, order_id: str, amount_kopecks: int = 65_000) -> str:
        """Return the token of a signed order, as core-billing makes them."""
        claims = {
            "contract": "100245",
            "amount_kopecks": amount_kopecks,
            "return_url": f"{self.url}/cabinet/",
        }
        until = datetime(2100, 1, 1, tzinfo=UTC)
        link = Link("gateway-yookassa", "pay", order_id, until, claims)
        return write_link(self.gateway.signer, link)

    async def paid(self, amount: str = "650.00") -> dict[str, Any]:
        """Return a payment that has succeeded."""
        _, made = await self.make(amount)
        # On a busy machine the answer may be that it is being made.
        made = await self.becomes(made["id"], "pending")
        await self.sandbox.pay(made["provider_payment_id"])
        return await self.becomes(made["id"], "succeeded")

    async def send_back(
        self, payment_id: str, amount: str, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        """Ask for a refund over the API."""
        address = f"{self.url}/yookassa/v1/payments/{payment_id}/refunds"
        given = {"Authorization": "Bearer demo", **headers}
        body = {"amount": amount, "reason": "Ошибочное пополнение"}
        async with self.http.post(address, json=body, headers=given) as answer:
            return answer.status, await answer.json(content_type=None)

    async def refunds(self, payment_id: str) -> dict[str, Any]:
        """List the refunds of a payment over the API."""
        address = f"{self.url}/yookassa/v1/payments/{payment_id}/refunds"
        async with self.http.get(address, headers={"Authorization": "Bearer demo"}) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def open(self, order_id: str, amount_kopecks: int = 65_000) -> tuple[int, str]:
        """Open the page behind a signed order; return status and where it leads."""
        query = {"order": self.order(order_id, amount_kopecks)}
        address = f"{self.url}/yookassa/pay"
        async with self.http.get(address, params=query, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", "")

    async def said(self, kind: str = "payment.succeeded") -> list[Event]:
        """Return the events that wait for the bus."""
        async with reading(self.gateway.db) as tx:
            rows = await tx.execute(select(outbox.c.body).order_by(outbox.c.id))
            events = [decode(row.body) for row in rows]
        return [event for event in events if event.type == kind]

    async def rows(self, table: Any) -> list[Any]:
        """Return the rows of a table."""
        async with reading(self.gateway.db) as tx:
            return list(await tx.execute(select(table)))

    async def until(self, met: Callable[[], Awaitable[Any]]) -> Any:
        """Wait for something to become true, and return it."""
        async with asyncio.timeout(SECONDS):
            while True:
                if found := await met():
                    return found
                await asyncio.sleep(0.02)

    async def becomes(self, payment_id: str, status: str) -> dict[str, Any]:
        """Wait for a payment to reach a status, and return it."""

        async def reached() -> Any:
            found = await self.look(payment_id)
            return found if found["status"] == status else None

        found: dict[str, Any] = await self.until(reached)
        return found


@asynccontextmanager
async def _running(sandbox: Sandbox, settings: Settings, port: int) -> AsyncIterator[Installation]:
    service = build(settings, system_clock)
    mounted = service.mounts["/yookassa"]
    gateway = mounted[rest.GATEWAY]
    root = web.Application(middlewares=[problem.middleware], client_max_size=1024**2)
    root.add_subapp("/yookassa", mounted)
    runner = Runner(root, access_log=None, shutdown_timeout=2)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(gateway.db.close)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        assert service.lifespan is not None
        await stack.enter_async_context(service.lifespan())
        stopping = asyncio.Event()
        loops = [
            asyncio.create_task(run_loop(loop, service.name, stopping)) for loop in service.loops
        ]
        http = await stack.enter_async_context(aiohttp.ClientSession())
        try:
            yield Installation(f"http://127.0.0.1:{port}", gateway, sandbox, http)
        finally:
            stopping.set()
            await asyncio.gather(*loops)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with harness.running(time_scale=0.01) as made:
        yield made


@pytest.fixture(scope="session")
def sqlite_prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the gateway's tables and one contract, to be copied."""
    path = tmp_path_factory.mktemp("gateway") / "template.db"
    run_aside(_prepare(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_prepared(postgres_server: str) -> Iterator[str]:
    """One PostgreSQL database with the gateway's tables: making one for each test takes longer."""
    name = databases.fresh_name("gateway")
    url = run_aside(databases.create(postgres_server, name, durable=False))
    run_aside(_prepare(url))
    yield url
    run_aside(databases.drop(postgres_server, name))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=ON_POSTGRES)])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the gateway's tables and the one contract that everybody pays for."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_prepared"), tmp_path / "gateway.db")
        return f"sqlite+aiosqlite:///{path}"
    url: str = request.getfixturevalue("postgres_prepared")
    await databases.empty(url, TABLES)
    await _know(url)
    return url


@pytest.fixture
async def start(
    sandbox: Sandbox, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Any]]:
    """Start gateways on one database; the first one is where the simulator calls back."""
    async with AsyncExitStack() as stack:
        started: list[Installation] = []

        async def one(**changes: str) -> Installation:
            (port,) = free_ports(1)
            tokens = {token_hash("demo"): {"name": "demo", "scopes": SCOPES}}
            environment = {
                "SALDO_DATABASE_URL": database_url,
                "SALDO_BUS_URL": "memory://",
                "SALDO_PUBLIC_URL": f"http://127.0.0.1:{port}",
                "SALDO_SIGNING_KEYS": "a signing key of the tests",
                "SALDO_ENCRYPTION_KEYS": KEY,
                "SALDO_API_TOKENS": orjson.dumps(tokens).decode(),
                "YOOKASSA_API_URL": f"{sandbox.url}/yookassa/v3",
                "YOOKASSA_SHOP_ID": "100500",
                "YOOKASSA_SECRET_KEY": "test_demo",
                "YOOKASSA_TEST_MODE": "true",
                "YOOKASSA_CALLBACK_NETWORKS": "127.0.0.1/32",
                **HURRY,
                **changes,
            }
            for name, value in environment.items():
                monkeypatch.setenv(name, value)
            running = _running(sandbox, Settings(), port)
            made = await stack.enter_async_context(running)
            if not started:
                callback = {"url": f"{made.url}/yookassa/callbacks"}
                await sandbox.control("PUT", "/callback", callback)
            started.append(made)
            return made

        yield one


@pytest.fixture
async def place(start: Callable[..., Any]) -> Installation:
    made: Installation = await start()
    return made


async def _prepare(url: str) -> None:
    """Make the tables, and the one contract that everybody pays for."""
    db = open_database(url)
    async with transaction(db) as tx:
        for schema in work.SCHEMAS:
            await tx.run_sync(schema.create_all)
    await db.close()
    await _know(url)


async def _know(url: str) -> None:
    said = ContractChanged(
        contract="100245",
        occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
        revision=1,
        operator="op",
        status="open",
        subscriber_id="1",
    )
    event = said.event("core-billing", subject="100245", revision=1, correlation_id="c")
    db = open_database(url)
    async with transaction(db) as tx:
        await directory.keep(tx, [event])
    await db.close()
