"""The service put together and alive: from the bus into the books, dead letters back to a queue."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from core_billing import app, dead
from core_billing.settings import Settings
from shared import service, topology
from shared.crypto import new_encryption_key, token_hash
from shared.db import Database, reading, transaction
from shared.envelope import Event, encode, event_id, sign
from shared.events import PaymentSucceeded
from shared.memory import MemoryBus
from shared.outbox import Letter
from shared.service import Process

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKEN = {"Authorization": "Bearer demo"}
CONTRACT = {
    "number": "100245",
    "subscriber": {"name": "Анна", "phone": "", "email": ""},
    "balance": "-1200.00",
}


@dataclass
class Alive:
    """A running service and ways to reach it."""

    base: str
    bus: MemoryBus
    db: Database
    http: aiohttp.ClientSession

    async def get(self, path: str) -> Any:
        """Read an address of the API."""
        async with self.http.get(f"{self.base}{path}", headers=TOKEN) as answer:
            assert answer.status == 200
            return await answer.json()

    async def say(self, **data: Any) -> None:
        """Publish a payment event as a gateway does, whatever it says."""
        event = Event(
            id=event_id("gateway-yookassa", PaymentSucceeded.TYPE, "p1", "p1"),
            source="gateway-yookassa",
            type=PaymentSucceeded.TYPE,
            subject="p1",
            time=AT,
            revision="p1",
            correlation_id="c-1",
            data=data,
        )
        raw = encode(event)
        letter = Letter(event.id, event.type, raw, sign(self.bus._signer, raw))
        assert list(await self.bus.publish([letter])) == [None]


async def until(look: Callable[[], Awaitable[bool]]) -> None:
    """Look until it is so, at most 20 seconds."""
    async with asyncio.timeout(20):
        while not await look():  # noqa: ASYNC110 - what is looked at lies in a database
            await asyncio.sleep(0.02)


@pytest.fixture
async def alive(db: Database, monkeypatch: Any) -> AsyncIterator[Alive]:
    """Core billing alone, on the memory bus, listening on a free port."""
    monkeypatch.setattr(service, "REPLAY_SECONDS", 0.05)
    url = db.engine.url.render_as_string(hide_password=False)
    settings = Settings(
        database_url=url,
        bus_url="memory://",
        public_url="http://127.0.0.1:8080",
        signing_keys=("a signing key of tests",),
        encryption_keys=(new_encryption_key(),),
        api_tokens={
            token_hash("demo"): {"name": "demo", "scopes": ["contracts:write", "payments:read"]}
        },
        services=("core-billing",),
    )
    core = app.build(settings, lambda: AT)
    bus = MemoryBus(settings.topology(), settings.signer(), lambda: datetime.now(UTC))
    process = Process([core], bus, lambda: datetime.now(UTC))
    async with (
        service.running(process, "127.0.0.1", 0) as port,
        aiohttp.ClientSession() as http,
    ):
        yield Alive(f"http://127.0.0.1:{port}", bus, db, http)


async def test_a_payment_reaches_its_contract(alive: Alive) -> None:
    async with alive.http.get(f"{alive.base}/readyz") as answer:
        assert answer.status == 200
    path = f"{alive.base}/api/v1/contracts"
    async with alive.http.post(path, json=CONTRACT, headers=TOKEN) as answer:
        assert answer.status == 201
    await alive.say(
        occurred_at=AT.isoformat(),
        paid_at=AT.isoformat(),
        provider="yookassa:100500",
        provider_payment_id="p1",
        amount_kopecks=65_000,
        allocations=[{"contract": "100245", "amount_kopecks": 65_000}],
    )

    async def credited() -> bool:
        return bool((await alive.get("/api/v1/contracts/100245"))["balance"] == "-550.00")

    await until(credited)
    found = await alive.get("/api/v1/payments?provider_payment_id=p1")
    assert found["items"][0]["status"] == "posted"
    async with alive.http.get(f"{alive.base}/cabinet/login") as answer:
        assert answer.status == 200
    async with alive.http.get(f"{alive.base}/api/v1/openapi.json") as answer:
        assert answer.status == 200


async def test_a_dead_letter_is_kept_and_replayed(alive: Alive) -> None:
    await alive.say(amount_kopecks="NaN")

    async def letters() -> list[Any]:
        async with reading(alive.db) as tx:
            return list(await dead.find(tx))

    async def died() -> bool:
        return bool(await letters())

    await until(died)
    [row] = await letters()
    assert (row.queue, row.type, row.deaths) == (topology.MONEY, "payment.succeeded", 1)
    async with transaction(alive.db) as tx:
        assert await dead.ask_replay(tx, [row.event_id], AT) == 1

    async def died_again() -> bool:
        return [letter.deaths for letter in await letters()] == [2]

    await until(died_again)
