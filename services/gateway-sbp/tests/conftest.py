"""The whole gateway beside the banks' simulators: HTTP between them, either database below."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
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

from gateway_sbp.app import build
from gateway_sbp.migrations import SCHEMAS
from gateway_sbp.settings import Settings
from servers import databases
from servers.processes import free_ports, run_aside
from shared import problem
from shared.clock import system_clock
from shared.crypto import Link, new_encryption_key, token_hash, write_link
from shared.db import open_database, reading, transaction
from shared.events import ContractChanged, Event, decode
from shared.gateway import directory, rest
from shared.gateway.gateway import Gateway
from shared.loop import run_loop
from shared.metrics import REGISTRY
from shared.outbox import outbox
from shared.runner import Runner
from simulators import harness
from simulators.harness import Sandbox

SECONDS = 20
KEY = new_encryption_key()
ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
TABLES = [table.name for schema in SCHEMAS for table in schema.sorted_tables]
SCOPES = ["payments:write", "journal:read", "reconciliation:write"]
CONTRACTS = ("100245", "100246", "Л/С 7")
BANKS = ("raiffeisen", "tbank")
HURRY = {
    "GATEWAY_SBP_POLL_DELAYS": "1s,2s",
    "GATEWAY_SBP_UNCLEAR_DELAYS": "100ms,200ms",
    "GATEWAY_SBP_STALE_DELAYS": "50ms,100ms",
    "GATEWAY_SBP_ANSWER_WITHIN": "5s",
    "GATEWAY_SBP_CONTRACT_WAIT": "0s",
    "GATEWAY_SBP_CREATE_TIMEOUT": "2s",
    "GATEWAY_SBP_FETCH_TIMEOUT": "2s",
    "GATEWAY_SBP_REQUESTS_PER_SECOND": "500",
    "GATEWAY_SBP_SAVE_METHODS": "true",
    # A dozen loops that look more often than this are what keeps the machine busy.
    "SALDO_POLL_SECONDS": "0.25",
}


def environment(sandbox_url: str, **changes: str) -> dict[str, str]:
    """Return the settings of a gateway beside the simulators."""
    tokens = {token_hash("demo"): {"name": "demo", "scopes": SCOPES}}
    return {
        "SALDO_BUS_URL": "memory://",
        "SALDO_SIGNING_KEYS": "a signing key of the tests",
        "SALDO_ENCRYPTION_KEYS": KEY,
        "SALDO_API_TOKENS": orjson.dumps(tokens).decode(),
        "SBP_ACQUIRERS": ",".join(BANKS),
        "RAIFFEISEN_API_URL": f"{sandbox_url}/raiffeisen/api",
        "RAIFFEISEN_MERCHANT_ID": "MA0000099999",
        "RAIFFEISEN_SECRET_KEY": "sim-secret-key-000000000001",
        "TBANK_API_URL": f"{sandbox_url}/tbank/v2",
        "TBANK_TERMINAL_KEY": "1700000000001DEMO",
        "TBANK_PASSWORD": "SimPassw0rd",
        **HURRY,
        **changes,
    }


@dataclass
class Installation:
    """A running gateway, and what its callers see of it."""

    url: str
    gateway: Gateway
    sandbox: Sandbox
    http: aiohttp.ClientSession

    async def call(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Call the API, and return the status and the JSON."""
        given = {"Authorization": "Bearer demo", **headers}
        address = f"{self.url}/sbp{path}"
        async with self.http.request(method, address, json=body, headers=given) as answer:
            return answer.status, await answer.json(content_type=None)

    async def make(self, amount: str = "650.00", **more: Any) -> tuple[int, dict[str, Any]]:
        """Ask for a payment over the API."""
        headers = more.pop("headers", {})
        body = {"contract": "100245", "amount": amount, "return_url": f"{self.url}/cabinet/"}
        return await self.call("POST", "/v1/payments", {**body, **more}, **headers)

    async def look(self, payment_id: str) -> dict[str, Any]:
        """Look at a payment over the API."""
        _, found = await self.call("GET", f"/v1/payments/{payment_id}")
        seen: dict[str, Any] = found
        return seen

    async def pending(self, amount: str = "650.00", **more: Any) -> dict[str, Any]:
        """Return a payment whose code can be paid."""
        _, made = await self.make(amount, **more)
        return await self.becomes(made["id"], "pending")

    def bank_of(self, payment: Mapping[str, Any]) -> str:
        """Return the name of the bank whose code it is."""
        return str(payment["provider"]).partition(":")[0]

    async def pay(self, payment: Mapping[str, Any], **what: Any) -> Any:
        """Do what the button of the bank's app does."""
        path = f"/{self.bank_of(payment)}/qr/{payment['provider_payment_id']}/pay"
        answer = await self.sandbox.call("POST", path, what)
        assert answer.status == 200, answer
        return answer.body

    async def paid(self, amount: str = "650.00", **more: Any) -> dict[str, Any]:
        """Return a payment that has succeeded."""
        made = await self.pending(amount, **more)
        await self.pay(made)
        return await self.becomes(made["id"], "succeeded")

    async def callback(self, bank: str, body: bytes, **headers: str) -> tuple[int, bytes]:
        """Knock as a bank does."""
        address = f"{self.url}/sbp/callbacks/{bank}"
        given = {"Content-Type": "application/json", **headers}
        async with self.http.post(address, data=body, headers=given) as answer:
            return answer.status, await answer.read()

    def order(self, order_id: str, amount_kopecks: int = 65_000) -> str:
        """Return the token of a signed order, as core-billing makes them."""
        claims = {
            "contract": "100245",
            "amount_kopecks": amount_kopecks,
            "return_url": f"{self.url}/cabinet/",
        }
        until = datetime(2100, 1, 1, tzinfo=UTC)
        return write_link(self.gateway.signer, Link("gateway-sbp", "pay", order_id, until, claims))

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
async def running(sandbox: Sandbox, settings: Settings, port: int) -> AsyncIterator[Installation]:
    """Run a gateway on a port, with its loops."""
    service = build(settings, system_clock)
    mounted = service.mounts["/sbp"]
    gateway = mounted[rest.GATEWAY]
    root = web.Application(middlewares=[problem.middleware], client_max_size=1024**2)
    root.add_subapp("/sbp", mounted)
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
def counted_alarms() -> Callable[[str], float]:
    """How many alarms of a kind there have been since the test began."""

    def counted(kind: str) -> float:
        return REGISTRY.get_sample_value("saldo_alarms_total", {"kind": kind}) or 0.0

    before = {kind: counted(kind) for kind in ("signed_payment_clash", "refund_parked")}
    return lambda kind: counted(kind) - before.get(kind, 0.0)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with harness.running(time_scale=0.01) as made:
        yield made


@pytest.fixture(scope="session")
def sqlite_prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the gateway's tables and its contracts, to be copied."""
    path = tmp_path_factory.mktemp("sbp") / "template.db"
    run_aside(_prepare(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgres_prepared(postgres_server: str) -> Iterator[str]:
    """One PostgreSQL database with the gateway's tables: making one for each test takes longer."""
    name = databases.fresh_name("sbp")
    url = run_aside(databases.create(postgres_server, name, durable=False))
    run_aside(_prepare(url))
    yield url
    run_aside(databases.drop(postgres_server, name))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=ON_POSTGRES)])
async def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database with the gateway's tables and the contracts that are paid for."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_prepared"), tmp_path / "sbp.db")
        return f"sqlite+aiosqlite:///{path}"
    url: str = request.getfixturevalue("postgres_prepared")
    await databases.empty(url, TABLES)
    await _know(url)
    return url


@pytest.fixture
async def start(
    sandbox: Sandbox, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Callable[..., Any]]:
    """Start gateways on one database; the first one is where the simulators call back."""
    async with AsyncExitStack() as stack:
        started: list[Installation] = []

        async def one(settings: type[Settings] = Settings, /, **changes: str) -> Installation:
            (port,) = free_ports(1)
            said = environment(
                sandbox.url,
                SALDO_DATABASE_URL=database_url,
                SALDO_PUBLIC_URL=f"http://127.0.0.1:{port}",
                **changes,
            )
            for name, value in said.items():
                monkeypatch.setenv(name, value)
            made = await stack.enter_async_context(running(sandbox, settings(), port))
            if not started:
                for bank in BANKS:
                    url = {"url": f"{made.url}/sbp/callbacks/{bank}"}
                    answer = await sandbox.call("PUT", f"/{bank}/control/callback", url)
                    assert answer.status == 200, answer
            started.append(made)
            return made

        yield one


@pytest.fixture(params=BANKS)
async def place(start: Callable[..., Any], request: pytest.FixtureRequest) -> Installation:
    """A gateway whose new codes are made at one bank, then at the other."""
    others = [bank for bank in BANKS if bank != request.param]
    made: Installation = await start(SBP_ACQUIRERS=",".join((request.param, *others)))
    return made


async def _prepare(url: str) -> None:
    """Make the tables, and the contracts that are paid for."""
    db = open_database(url)
    async with transaction(db) as tx:
        for schema in SCHEMAS:
            await tx.run_sync(schema.create_all)
    await db.close()
    await _know(url)


async def _know(url: str) -> None:
    events = []
    for number in CONTRACTS:
        said = ContractChanged(
            contract=number,
            occurred_at=datetime(2026, 11, 22, tzinfo=UTC),
            revision=1,
            operator="op",
            status="open",
            subscriber_id="1",
        )
        events.append(said.event("core-billing", subject=number, revision=1, correlation_id="c"))
    db = open_database(url)
    async with transaction(db) as tx:
        await directory.keep(tx, events)
    await db.close()
