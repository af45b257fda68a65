"""A cabinet with a few subscribers, on both databases, and browsers to visit it with."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from core_billing import contracts, ledger, openings, passwords, topups
from core_billing.ledger import Payment
from core_billing.migrations import SCHEMAS
from core_billing.openings import Wanted
from core_billing.registration import NewContract
from core_billing.rules import Rules
from core_billing.web import cabinet
from core_billing.web.visit import Cabinet
from servers import databases
from servers.processes import run_aside
from shared import problem
from shared.clock import ManualClock
from shared.crypto import Signer, Vault, new_encryption_key
from shared.db import Database, Tx, open_database, reading, transaction
from shared.money import Money
from shared.outbox import Producer
from shared.topology import SERVICES, Topology

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PASSWORD = "demo password"
ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}


def asked(number: str, subscriber: str, roubles: str, **more: Any) -> NewContract:
    """Return a contract as the API would ask for it."""
    person = {"id": subscriber, "name": f"Анна {subscriber}", "phone": "+79161234567"}
    language = more.pop("language", "ru")
    body = {
        "number": number,
        "subscriber": {**person, "email": "anna@subscriber.example", "language": language},
        "balance": roubles,
        **more,
    }
    return NewContract.model_validate(body)


CONTRACTS = (
    asked("100245", "anna", "-1200.00"),
    asked("100246", "anna", "845.50"),
    asked("100301", "igor", "0.00"),
    asked("100302", "emma", "-10.00", language="en"),
    asked("100417", "romashka", "-3400.00", credit_limit="5000.00"),
)


class Browser:
    """Somebody with cookies of their own; every page they see can be asked for its forms."""

    def __init__(self, client: TestClient[web.Request, web.Application]) -> None:
        self.client = client
        self.page = ""

    async def get(self, path: str, **options: Any) -> ClientResponse:
        """Open an address; redirects are not followed."""
        return await self._send("GET", path, **options)

    async def post(self, path: str, **options: Any) -> ClientResponse:
        """Send a form; redirects are not followed."""
        return await self._send("POST", path, **options)

    async def sign_in(self, contract: str, password: str = PASSWORD, **more: str) -> ClientResponse:
        """Send the sign-in form."""
        form = {"contract": contract, "password": password, **more}
        return await self.post("/cabinet/login", data=form)

    async def csrf(self) -> str:
        """Return the token that this browser's forms carry now."""
        await self.get("/cabinet/sessions")
        found = re.search(r'name="csrf" value="([0-9a-f]{64})"', self.page)
        assert found is not None
        return found[1]

    async def top_up(self, contract: str, amount: str) -> ClientResponse:
        """Send the top-up form."""
        form = {"csrf": await self.csrf(), "contract": contract, "amount": amount}
        return await self.post("/cabinet/topups", data=form)

    async def _send(self, method: str, path: str, **options: Any) -> ClientResponse:
        given = options.pop("headers", {})
        said = {"Sec-Fetch-Site": "same-origin"} if method == "POST" and not given else {}
        headers = {**HTML, **said, **given}
        answer = await self.client.request(
            method, path, headers=headers, allow_redirects=False, **options
        )
        self.page = unescape(await answer.text())
        return answer


@dataclass
class World:
    """The cabinet under test and what lies behind it."""

    db: Database
    clock: ManualClock
    signer: Signer
    rules: Rules
    cabinet: Cabinet
    visit: Callable[[Cabinet], Awaitable[TestClient[web.Request, web.Application]]]
    password: str = PASSWORD

    async def browser(self, changed: Cabinet | None = None) -> Browser:
        """Return somebody new, who is not signed in."""
        return Browser(await self.visit(changed or self.cabinet))

    async def signed_in(self, contract: str = "100245") -> Browser:
        """Return somebody who has just signed in."""
        browser = await self.browser()
        answer = await browser.sign_in(contract)
        assert answer.status == 303
        return browser

    async def pay(
        self, order_id: str, contract: str, amount: Money, suspense: str | None = None
    ) -> None:
        """Let a provider's payment of an order reach the ledger."""
        payment = Payment(
            source="payment:yookassa:100500",
            external_id=f"paid-{order_id}",
            amount_kopecks=amount.kopecks,
            allocations=((contract, amount.kopecks),),
            paid_at=self.clock(),
            order_id=order_id,
            suspense=suspense,
        )
        async with transaction(self.db) as tx:
            await ledger.post(tx, [payment], self.clock())

    async def cancel(self, order_id: str) -> None:
        """Let the provider say that nothing was taken for an order."""
        async with transaction(self.db) as tx:
            await topups.mark_canceled(tx, [order_id], self.clock())

    async def close(self, contract: str) -> None:
        """Let the operator close a contract."""
        async with transaction(self.db) as tx:
            await contracts.set_open(tx, self.rules, contract, False, self.clock(), "test")

    async def orders(self) -> int:
        """Return how many top-ups have been ordered."""
        async with reading(self.db) as tx:
            return len((await tx.execute(topups.topup.select())).all())


async def open_contracts(tx: Tx, vault: Vault, rules: Rules) -> None:
    """Open the contracts of the tests, all with one password."""
    kept = await passwords.hashed(PASSWORD)
    wanted = [Wanted(contract, kept, "test") for contract in CONTRACTS]
    opened = await openings.open_all(tx, vault, rules, wanted, AT)
    assert all(one.new for one in opened)


async def create_tables(url: str) -> None:
    """Create the tables of the service in an empty database."""
    db = open_database(url)
    async with db.engine.begin() as connection:
        for schema in SCHEMAS:
            await connection.run_sync(schema.create_all)
    await db.close()


@pytest.fixture(scope="session")
def cabinet_postgres(postgres_server: str) -> Iterator[str]:
    """One PostgreSQL database for all tests here: creating and dropping takes longer than they."""
    name = databases.fresh_name("cabinet")
    url = run_aside(databases.create(postgres_server, name))
    run_aside(create_tables(url))
    yield url
    run_aside(databases.drop(postgres_server, name))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=ON_POSTGRES)])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """The service's tables, empty."""
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path}/core_billing.db"
        await create_tables(url)
        db = open_database(url)
    else:
        url = request.getfixturevalue("cabinet_postgres")
        names = [table.name for schema in SCHEMAS for table in schema.sorted_tables]
        await databases.empty(url, names, written_once=("payment", "posting"))
        db = open_database(url)
    yield db
    await db.close()


@pytest.fixture
async def world(db: Database, aiohttp_client: AiohttpClient) -> World:
    """A cabinet with subscribers: anna has two contracts, emma reads English."""
    clock, signer = ManualClock(AT), Signer(["a signing key of tests"])
    vault = Vault([new_encryption_key()])
    producer = Producer("core-billing", Topology(frozenset(SERVICES)), signer)
    rules = Rules(producer, low_balance_kopecks=10_000, margin_percent=10, cutover_at=None)
    async with transaction(db) as tx:
        await open_contracts(tx, vault, rules)

    async def visit(cabinet_: Cabinet) -> TestClient[web.Request, web.Application]:
        root = web.Application(middlewares=[problem.middleware])
        root.add_subapp("/cabinet", cabinet.application(cabinet_))
        return await aiohttp_client(root)

    given = Cabinet(db, signer, clock, public_url="http://127.0.0.1:8080")
    return World(db, clock, signer, rules, given, visit)
