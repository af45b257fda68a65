"""A group that may promise, contracts in it, and short ways to give promises."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from core_billing import (
    accounts,
    contracts,
    fee_jobs,
    operations,
    policy_rows,
    promise_cancels,
    promise_grants,
    promise_jobs,
    promise_rows,
    service_changes,
    tariff_changes,
)
from core_billing.drafts import Part, Payment
from core_billing.promise_rows import Origin, Promise
from core_billing.promise_rules import Wish
from core_billing.tariff_changes import NewTariff
from core_billing.terms import terms
from core_billing.web import api
from shared import problem
from shared.crypto import token_hash
from shared.db import reading, transaction
from shared.settings import ApiToken

RULE = {"min": "100.00", "max": "1000.00", "by_subscriber": True, "fee": "10.00"}
SCOPES = {
    "anna": ("promises:write", "contracts:read"),
    "boris": ("promises:create", "promises:annul"),
    "reader": ("promises:read",),
}
TOKENS = {token_hash(name): ApiToken(name=name, scopes=given) for name, given in SCOPES.items()}

Call = Callable[..., Awaitable[tuple[int, Any]]]


@dataclass
class Promises:
    """The books, and what tests of promises do with them."""

    books: Any

    async def rule(self, **changed: Any) -> None:
        """Set the rule of everybody's group."""
        async with transaction(self.books.db) as tx:
            await tx.execute(policy_rows.policy.delete())
            row = {
                "name": "promise",
                "scope": "group:default",
                "revision": 1,
                "valid_from": date(2026, 1, 1),
                "value": RULE | changed,
                "set_at": self.books.clock(),
                "set_by": "anna",
                "reason": "",
            }
            await tx.execute(policy_rows.policy.insert().values(row))

    async def terms(self, number: str, **changed: Any) -> None:
        """Give a contract terms of its own."""
        async with transaction(self.books.db) as tx:
            found = await contracts.find(tx, number)
            assert found is not None
            row: dict[str, Any] = {
                "contract_id": found.id,
                "revision": 1,
                "changed_by": "anna",
                "group_name": "default",
                "charging": "advance",
                "priority": 1,
                "automatic_promise": False,
            }
            await tx.execute(terms.insert().values(row | changed))

    async def grant(
        self, number: str, kopecks: int, origin: Origin = Origin.MANAGER, **more: Any
    ) -> Promise:
        """Give a promise."""
        async with transaction(self.books.db) as tx:
            found = await contracts.find(tx, number)
            assert found is not None
            wish = Wish(origin, kopecks, **more)
            rules, at = self.books.core.rules, self.books.clock()
            return await promise_grants.grant(tx, rules, found, wish, "anna", at, "granting")

    async def serve(self, number: str, starts_on: date, **tariff: Any) -> None:
        """Begin a service of a contract, of a tariff of its own."""
        wanted = {"label": "internet", "charge_while_blocked": False, "blocks": True} | tariff
        at = self.books.clock()
        today = self.books.core.rules.day(at)
        async with transaction(self.books.db) as tx:
            new = NewTariff(name=number, **wanted)
            await tariff_changes.create(tx, new, "anna", at, starts_on)
            found = await contracts.find(tx, number)
            assert found is not None
            await service_changes.begin(tx, found, number, starts_on, "anna", at, today)

    async def charge(self) -> None:
        """Charge all fees that are due."""
        core = self.books.core
        day = core.rules.day(self.books.clock())
        await fee_jobs.run(core, day, lambda _: None, asyncio.Event())

    async def cancel(self, promise: Promise, revision: int | None = None) -> Promise:
        """Take a promise back."""
        rules, at = self.books.core.rules, self.books.clock()
        async with transaction(self.books.db) as tx:
            return await promise_cancels.cancel(
                tx, rules, promise.id, revision, "boris", at, "canceling"
            )

    async def pay(self, external_id: str, number: str, kopecks: int) -> int:
        """Let a provider's payment come; return its id."""
        [receipt] = await self.books.arrive(
            self.books.paid(external_id, kopecks, (number, kopecks))
        )
        return int(receipt.payment_id)

    async def move(self, external_id: str, number: str, kopecks: int) -> None:
        """Move money that is no payment, as a fee or a transfer does."""
        async with transaction(self.books.db) as tx:
            rules, at = self.books.core.rules, self.books.clock()
            payment = Payment("transfer", external_id, kopecks, ((number, kopecks),), at)
            parts = [Part(1, accounts.of_contract(number), kopecks)]
            await operations.carry_out(tx, rules, payment, parts, at, "moving")

    async def step(self, limit: int = 100) -> None:
        """Let the job run until nothing is due."""
        while await promise_jobs.step(self.books.core, limit):
            pass

    async def at(self, moment: datetime) -> None:
        """Let the job run at a later moment."""
        self.books.clock.advance(moment - self.books.clock())
        await self.step()

    async def now(self, number: str) -> contracts.Contract:
        """Return a contract as it stands."""
        async with reading(self.books.db) as tx:
            found = await contracts.find(tx, number)
        assert found is not None
        return found

    async def all_of(self, number: str) -> list[Promise]:
        """Return the promises of a contract, newest first."""
        async with reading(self.books.db) as tx:
            found = await contracts.find(tx, number)
            assert found is not None
            return await promise_rows.page(tx, found.id, None, None, 1000)

    async def tied(self, number: str) -> bool:
        """Say whether anything follows from the contract's balance."""
        async with transaction(self.books.db) as tx:
            [kept] = (await accounts.lock(tx, [accounts.of_contract(number)])).values()
        return kept.tied


@pytest.fixture
def unruled(books: Any) -> Promises:
    """Promises that nobody has set up yet; nothing is connected."""
    return Promises(books)


@pytest.fixture
async def promises(unruled: Promises) -> Promises:
    """Promises of 100 to 1000 roubles for three days, for a fee of ten."""
    await unruled.rule()
    return unruled


@pytest.fixture
async def call(books: Any, aiohttp_client: Any) -> Call:
    """Call the API as Anna, or as the token that is named; returns status and body."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    client: TestClient[Any, Any] = await aiohttp_client(root)

    async def send(method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {options.pop('token', 'anna')}"}
        headers |= options.pop("headers", {})
        sent = {} if body is None else {"json": body}
        answer = await client.request(method, f"/api/v1{path}", headers=headers, **sent, **options)
        return answer.status, json.loads(await answer.text())

    return send
