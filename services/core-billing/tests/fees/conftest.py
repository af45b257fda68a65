"""Tariffs and services in the books, and short ways to charge them."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlalchemy import insert

from core_billing import contracts, fee_jobs, service_changes, services, tariff_changes
from core_billing.block_rows import block, change
from core_billing.fee_jobs import Total
from core_billing.services import Service
from core_billing.tariff_changes import NewPrice, NewTariff
from core_billing.web import api
from shared import problem
from shared.crypto import token_hash
from shared.db import reading, transaction
from shared.settings import ApiToken

FIRST = date(2026, 11, 1)
SCOPES = {
    "anna": ("tariffs:write", "contracts:write"),
    "boris": ("tariffs:write", "contracts:write"),
    "reader": ("tariffs:read", "contracts:read"),
}
TOKENS = {token_hash(name): ApiToken(name=name, scopes=given) for name, given in SCOPES.items()}


@dataclass
class Fees:
    """The books, and what tests of fees do with them."""

    books: Any

    async def tariff(
        self, name: str, kopecks: int = 65_000, charging: Any = "monthly", **more: Any
    ) -> int:
        """Make a tariff."""
        new = NewTariff(
            name=name,
            label=more.pop("label", "internet"),
            charging=charging,
            month_kopecks=kopecks,
            charge_while_blocked=more.pop("charge_while_blocked", False),
            blocks=True,
        )
        async with transaction(self.books.db) as tx:
            made = await tariff_changes.create(tx, new, "anna", self.books.clock(), FIRST)
        return made.id

    async def price(self, tariff_id: int, valid_from: date, kopecks: int) -> None:
        """Set a price for days to come."""
        async with transaction(self.books.db) as tx:
            await tariff_changes.change(
                *(tx, tariff_id, {}, NewPrice(valid_from, kopecks), None, "anna"),
                *(self.books.clock(), self.today),
            )

    async def begin(self, number: str, tariff: str, starts_on: date = FIRST) -> Service:
        """Begin a service."""
        async with transaction(self.books.db) as tx:
            found = await contracts.find(tx, number)
            assert found is not None
            return await service_changes.begin(
                *(tx, found, tariff, starts_on, "anna", self.books.clock(), self.today)
            )

    async def now(self, one: Service) -> Service:
        """Return a service as it stands."""
        async with reading(self.books.db) as tx:
            found = await services.find(tx, one.contract_id, one.id)
        assert found is not None
        return found

    async def charge(self, day: date | None = None) -> Total:
        """Charge all that is due."""
        return await fee_jobs.run(
            self.books.core, day or self.today, lambda _: None, asyncio.Event()
        )

    async def set_block(self, contract_id: int, blocked: bool, at: datetime) -> None:
        """Block a contract or let it in again."""
        async with transaction(self.books.db) as tx:
            await tx.execute(block.delete().where(block.c.contract_id == contract_id))
            await tx.execute(
                insert(block).values(
                    contract_id=contract_id,
                    blocked=blocked,
                    revision=1,
                    reason="below_zero",
                    changed_at=at,
                )
            )

    async def blocked_since(self, contract_id: int, at: datetime) -> None:
        """Write down when the last block of a contract began."""
        row = {"contract_id": contract_id, "revision": 1, "blocked": True, "reason": "below_zero"}
        async with transaction(self.books.db) as tx:
            await tx.execute(insert(change).values(**row, at=at))

    async def taken(self) -> list[tuple[str, int]]:
        """Return the fees in the ledger by external id, with their kopecks."""
        lines = await self.books.lines()
        return [(line[0], line[5]) for line in lines if line[4].startswith("income:")]

    async def settled(self) -> list[tuple[int, list[tuple[str, int]]]]:
        """Return each fee's amount and the payments that are said to settle it."""
        return [
            (
                event["data"]["amount_kopecks"],
                [
                    (one["provider_payment_id"], one["amount_kopecks"])
                    for one in event["data"]["settled_by"]
                ],
            )
            for event in await self.books.said("fee.charged")
        ]

    def until(self, day: date) -> None:
        """Move the clock to noon of a day."""
        moment = self.books.core.rules.start(day) + timedelta(hours=12)
        self.books.clock.advance(moment - self.books.clock())

    @property
    def today(self) -> date:
        """The billing's day."""
        return self.books.core.rules.day(self.books.clock())


Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
def fees(books: Any) -> Fees:
    """The books with what fees need."""
    return Fees(books)


@pytest.fixture
async def call(books: Any, aiohttp_client: Any) -> Call:
    """Call the API as a manager: `call("/tariffs", body, token="boris")`; status and body."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    client: TestClient[Any, Any] = await aiohttp_client(root)

    async def send(path: str, body: Any = None, token: str = "anna") -> tuple[int, Any]:
        method = "GET" if body is None else "POST"
        headers = {"Authorization": f"Bearer {token}"}
        answer = await client.request(method, f"/api/v1{path}", headers=headers, json=body)
        return answer.status, json.loads(await answer.text())

    return send
