"""Contracts with services, and what is said of them as days pass and money moves."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlalchemy import update

from core_billing import (
    contracts,
    due_jobs,
    fee_jobs,
    service_changes,
    tariff_changes,
    watch_jobs,
    watch_settings,
)
from core_billing.accounts import balance
from core_billing.block_rows import block
from core_billing.tariff_changes import NewTariff
from core_billing.web import api
from shared import problem
from shared.crypto import token_hash
from shared.db import transaction
from shared.events import EventData, WatchCleared, WatchSet
from shared.outbox import Producer
from shared.settings import ApiToken
from shared.topology import Topology

FIRST = date(2026, 11, 1)
KINDS = ("balance.low", "balance.recovered", "fee.upcoming", "contract.due", "statement.ready")


@dataclass
class Told:
    """The books, and what tests of watches do with them."""

    books: Any

    async def sell(self, number: str, kopecks: int, charging: Any = "monthly") -> None:
        """Begin a service on the first of November, which has been charged for."""
        name = f"tariff {number}"
        new = NewTariff(name, "internet", charging, kopecks, False, True)
        async with transaction(self.books.db) as tx:
            at, today = self.books.clock(), self.today
            await tariff_changes.create(tx, new, "anna", at, FIRST)
            found = await contracts.find(tx, number)
            assert found is not None
            begun = (found, name, FIRST, "anna", at, today)
            await service_changes.begin(tx, *begun)
        await self.charge()

    async def charge(self) -> None:
        """Charge all that is due."""
        await fee_jobs.run(self.books.core, self.today, lambda _: None, asyncio.Event())

    async def set_balance(self, number: str, kopecks: int) -> None:
        """Give a contract a balance past everything that follows from one."""
        async with transaction(self.books.db) as tx:
            found = await contracts.find(tx, number)
            assert found is not None
            mine = balance.c.account_id == found.id
            await tx.execute(update(balance).where(mine).values(kopecks=kopecks))

    async def block(self, number: str) -> None:
        """Write down that a contract is blocked."""
        async with transaction(self.books.db) as tx:
            found = await contracts.find(tx, number)
            assert found is not None
            row = {"contract_id": found.id, "blocked": True, "revision": 1, "reason": "below_zero"}
            await tx.execute(block.insert().values(row))

    async def pay(self, number: str, kopecks: int) -> None:
        """Let a payment come, and the job hear of it."""
        name = f"{number}-{self.books.clock().isoformat()}-{kopecks}"
        await self.books.arrive(self.books.paid(name, kopecks, (number, kopecks)))

    async def hear(self, *bodies: EventData) -> None:
        """Let watchers say what they want."""
        events = [
            body.event("autopay", subject=f"{body.contract}", revision=n, correlation_id="asked")
            for n, body in enumerate(bodies)
        ]
        async with transaction(self.books.db) as tx:
            await watch_settings.hear(tx, self.books.core.rules, events, self.books.clock)

    def wants(self, number: str, revision: int, **more: Any) -> WatchSet:
        """Return what autopay asks for."""
        at = self.books.clock()
        return WatchSet(
            contract=number, occurred_at=at, revision=revision, watcher="autopay", **more
        )

    def clears(self, number: str, revision: int, kind: str) -> WatchCleared:
        """Return that autopay asks for something no longer."""
        at = self.books.clock()
        return WatchCleared(
            contract=number, occurred_at=at, revision=revision, watcher="autopay", kind=kind
        )

    def until(self, day: date, hour: int = 12) -> None:
        """Move the clock to an hour of a day of the billing."""
        moment = self.books.core.rules.start(day) + timedelta(hours=hour)
        self.books.clock.advance(moment - self.books.clock())

    @property
    def today(self) -> date:
        """The billing's day."""
        return self.books.core.rules.day(self.books.clock())

    async def walk(self, limit: int = 500) -> None:
        """Look at everybody for today."""
        while await watch_jobs.walk(self.books.core, limit):
            pass

    async def moved(self, limit: int = 500) -> None:
        """Look at those whose money has moved."""
        while await watch_jobs.look_at_moved(self.books.core, limit):
            pass

    async def due(self, limit: int = 200) -> None:
        """Tell watchers how contracts stand."""
        while await due_jobs.step(self.books.core, limit):
            pass

    async def said(self, *kinds: str) -> list[dict[str, Any]]:
        """Return the bodies of what was said, with type and without the moment."""
        found = await self.books.said(*(kinds or KINDS))
        return [{"type": event["type"], **event["data"]} for event in found]

    async def days(self) -> list[tuple[str, str, int]]:
        """Return what was said of days: low or recovered, contract, crossing."""
        said = await self.said("balance.low", "balance.recovered")
        return [
            (one["type"].removeprefix("balance."), one["contract"], one["crossing"])
            for one in said
            if one["kind"] == "days"
        ]

    async def fees(self) -> list[tuple[str, str, str]]:
        """Return what was said of fees: watcher, contract, day."""
        said = await self.said("fee.upcoming")
        return [(one["watcher"], one["contract"], one["fees_on"]) for one in said]


@pytest.fixture
def told(books: Any) -> Told:
    """Books that tell three days before a block, and before fees; autopay is deployed."""
    return Told(telling(books, low_balance_days=3, fee_notice_days=3))


def telling(books: Any, **rules: Any) -> Any:
    """Return the same books under other rules, where autopay and the notifier listen."""
    own: Producer = books.core.rules.producer
    heard = replace(own, topology=Topology(frozenset({"core-billing", "notifier", "autopay"})))
    return books.under(producer=heard, **rules)


Ask = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def ask(told: Told, aiohttp_client: Any) -> Ask:
    """Call the API: `ask(path, body)`; returns status and body."""
    scopes = ("contracts:read", "contracts:write")
    tokens = {token_hash("anna"): ApiToken(name="anna", scopes=scopes)}
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(told.books.core, tokens))
    client: TestClient[Any, Any] = await aiohttp_client(root)

    async def send(path: str, body: Any = None) -> tuple[int, Any]:
        method = "GET" if body is None else "POST"
        headers = {"Authorization": "Bearer anna"}
        answer = await client.request(method, f"/api/v1{path}", headers=headers, json=body)
        return answer.status, await answer.json()

    return send
