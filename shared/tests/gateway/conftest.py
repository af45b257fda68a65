"""A gateway on either database, a provider that lives in the test, a clock that is moved."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy import select, text
from yarl import URL

from servers import databases
from servers.processes import run_aside
from shared import log as logs
from shared import problem
from shared.clock import ManualClock
from shared.crypto import Signer, Vault, new_encryption_key, token_hash
from shared.db import Database, open_database, reading, transaction
from shared.events import Allocation, ContractChanged, Event, decode
from shared.gateway import directory, door, lanes, payments, polling, repeating, rest, work
from shared.gateway import web as pay_page
from shared.gateway.callbacks import Received
from shared.gateway.gateway import Gateway, Timing
from shared.gateway.intake import Intake
from shared.gateway.limits import Limits
from shared.gateway.orders import Begun, Wish, begin
from shared.gateway.provider import (
    Malformed,
    Missing,
    Nudge,
    Order,
    Page,
    ProviderPayment,
    Refused,
    Status,
    Unclear,
)
from shared.gateway.settle import Payment
from shared.money import Money
from shared.outbox import Producer, outbox
from shared.settings import ApiToken
from shared.topology import Topology

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
SHOP = "yookassa:100500"
SECOND = timedelta(seconds=1)
PUBLIC_URL = "https://pay.example.org"
TOKENS = {
    token_hash("demo"): ApiToken(
        name="demo", scopes=("payments:write",), return_urls=("https://shop.example",)
    ),
    token_hash("reader"): ApiToken(name="reader", scopes=("payments:read",)),
}
ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
TIMING = Timing(
    poll=(20 * SECOND, 40 * SECOND, 60 * SECOND),
    retry=(2 * SECOND, 5 * SECOND, 60 * SECOND),
    stale=(SECOND, 2 * SECOND),
    repeat=(60 * SECOND, 120 * SECOND, 600 * SECOND),
    list_after=timedelta(hours=23),
    doubt=120 * SECOND,
    acknowledged_within=timedelta(hours=1),
    answer_within=SECOND,
    create_lease=80 * SECOND,
    fetch_lease=16 * SECOND,
    poll_seconds=0.001,
)


@dataclass
class FakeProvider:
    """A provider with a memory: what it has made, whom it has heard, and what it is told to do.

    `creates` and `fetches` are scripts: each entry answers one call. `LOST` makes the payment and
    loses the answer; an exception class is raised; None works as a provider should.
    """

    shop: str = SHOP
    test: bool = False
    clock: Callable[[], datetime] = lambda: NOON
    made: dict[str, ProviderPayment] = field(default_factory=dict)
    keys: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    creates: list[Any] = field(default_factory=list)
    fetches: list[Any] = field(default_factory=list)
    lists: list[Any] = field(default_factory=list)
    page_size: int = 100
    pages: int = 0
    slow: asyncio.Event | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def request(self, order: Order) -> bytes:
        return orjson.dumps(
            {
                "payment_id": str(order.payment_id),
                "amount": order.amount_kopecks,
                "parts": [[p.contract, p.amount_kopecks] for p in order.allocations],
            }
        )

    async def create(self, key: str, request: bytes) -> Any:
        self.sent.append((key, request))
        self.heard.set()
        told = self.creates.pop(0) if self.creates else None
        if self.slow is not None:
            await self.slow.wait()
        if told is not None and told != "lost":
            return told
        if key in self.keys:
            assert self.keys[key][0] == request, "the same key came with other bytes"
        else:
            self.keys[key] = (request, self.add(request))
        return Unclear("lost") if told == "lost" else self.made[self.keys[key][1]]

    def add(self, request: bytes, **changes: Any) -> str:
        said = orjson.loads(request)
        provider_id = str(uuid4())
        self.made[provider_id] = replace(
            ProviderPayment(
                id=provider_id,
                shop=self.shop,
                status=Status.PENDING,
                said="pending",
                amount_kopecks=said["amount"],
                currency="RUB",
                test=self.test,
                created_at=self.clock(),
                confirmation_url=f"https://pay.example/{provider_id}",
                payment_id=UUID(said["payment_id"]),
                allocations=tuple(
                    Allocation(contract=c, amount_kopecks=k) for c, k in said["parts"]
                ),
            ),
            **changes,
        )
        return provider_id

    def change(self, provider_id: str, **changes: Any) -> None:
        self.made[provider_id] = replace(self.made[provider_id], **changes)

    def pay(self, provider_id: str, **changes: Any) -> None:
        paid = {"status": Status.SUCCEEDED, "said": "succeeded", "paid_at": self.clock()}
        self.change(provider_id, method="bank_card", **{**paid, **changes})

    def cancel(self, provider_id: str, reason: str = "expired_on_confirmation") -> None:
        self.change(provider_id, status=Status.CANCELED, said="canceled", reason=reason)

    async def fetch(self, provider_payment_id: str) -> Any:
        self.asked.append(provider_payment_id)
        told = self.fetches.pop(0) if self.fetches else None
        if told is not None:
            return told
        return self.made.get(provider_payment_id, Missing())

    async def listed(self, since: datetime, until: datetime, cursor: str | None) -> Any:
        self.pages += 1
        told = self.lists.pop(0) if self.lists else None
        if told is not None:
            return told
        within = [p for p in self.made.values() if since <= p.created_at <= until]
        newest = sorted(within, key=lambda p: p.created_at, reverse=True)
        start = int(cursor or 0)
        end = start + self.page_size
        return Page(newest[start:end], str(end) if end < len(newest) else None)


class Stand:
    """A gateway and hands to move it."""

    def __init__(self, gateway: Gateway, clock: ManualClock, provider: FakeProvider) -> None:
        self.gateway = gateway
        self.clock = clock
        self.provider = provider
        self.alarms: list[str] = []

    async def wish(self, amount: int = 65_000, **more: Any) -> Begun:
        part = Allocation(contract=more.pop("contract", "100245"), amount_kopecks=amount)
        return await begin(
            self.gateway,
            Wish(
                allocations=more.pop("allocations", (part,)),
                amount_kopecks=amount,
                return_url="https://pay.example.org/back",
                correlation_id="corr",
                **more,
            ),
            TIMING.answer_within,
        )

    async def settle(self, rounds: int = 20) -> None:
        """Run every loop until nothing is due at this moment."""
        for _ in range(rounds):
            more = [await step(self.gateway) for step in (lanes.step, polling.step)]
            await self.gateway.callbacks.drain()
            await self.gateway.polls.drain()
            await lanes.foreign_step(self.gateway)
            more.append(await repeating.step(self.gateway))
            if not any(more):
                return

    async def pass_time(self, by: timedelta) -> None:
        self.clock.advance(by)
        await self.settle()

    async def callback(self, provider_id: str, **more: Any) -> None:
        """Store a callback the way the door does, and work through it."""
        claims = more.pop("claims", Status.SUCCEEDED)
        shop = more.pop("shop", self.provider.shop)
        event = more.pop("event", f"payment.{claims}")
        nudge = Nudge(event, shop, provider_id, more.pop("payment_id", None), claims)
        intake = Intake(self.gateway.db, self.clock)
        async with intake.running():
            await intake.put(Received(nudge, b"{}", self.clock()))
        await self.settle()

    async def payment(self, payment_id: UUID) -> Payment:
        async with reading(self.gateway.db) as tx:
            found = await payments.find(tx, payment_id)
        assert found is not None
        return found

    async def row(self, payment_id: UUID) -> Any:
        async with reading(self.gateway.db) as tx:
            query = select(payments.payment).where(payments.payment.c.id == payment_id)
            return (await tx.execute(query)).one()

    async def rows(self, table: Any) -> list[Any]:
        async with reading(self.gateway.db) as tx:
            return list(await tx.execute(select(table)))

    async def said(self, kind: str = "payment.succeeded") -> list[Event]:
        rows = await self.rows(outbox)
        events = [decode(row.body) for row in sorted(rows, key=lambda row: row.id)]
        return [event for event in events if event.type == kind]

    async def know(self, number: str, status: str = "open", revision: int = 1) -> None:
        said = ContractChanged(
            contract=number,
            occurred_at=NOON,
            revision=revision,
            operator="op",
            status=status,
            subscriber_id="1",
        )
        event = said.event("core-billing", subject=number, revision=revision, correlation_id="c")
        async with transaction(self.gateway.db) as tx:
            await directory.keep(tx, [event])


@pytest.fixture(autouse=True)
def exact_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses as they are written down, without the spread; `test_pauses` looks at that."""
    monkeypatch.setattr("shared.gateway.gateway.SPREAD", 0.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture(scope="session")
def gateway_postgres(postgres_server: str) -> Iterator[str]:
    """One database with the gateway's tables; making one per test costs a second each."""
    url = run_aside(databases.create(postgres_server, databases.fresh_name("gateway")))
    run_aside(_create_tables(url))
    yield url
    run_aside(databases.drop(postgres_server, url.rpartition("/")[2]))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=ON_POSTGRES)])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database with the gateway's tables: SQLite, then PostgreSQL."""
    if request.param == "postgres":
        opened = open_database(request.getfixturevalue("gateway_postgres"))
        tables = [table.name for schema in work.SCHEMAS for table in schema.sorted_tables]
        async with transaction(opened) as tx:
            await tx.execute(text(f"TRUNCATE {', '.join(tables)}"))
    else:
        url = f"sqlite+aiosqlite:///{tmp_path}/gateway.db"
        await _create_tables(url)
        opened = open_database(url)
    yield opened
    await opened.close()


async def _create_tables(url: str) -> None:
    opened = open_database(url)
    async with transaction(opened) as tx:
        for schema in work.SCHEMAS:
            await tx.run_sync(schema.create_all)
    await opened.close()


@pytest.fixture
def make_provider(clock: ManualClock) -> Callable[..., FakeProvider]:
    return lambda **how: FakeProvider(clock=clock, **how)


@pytest.fixture
def make_stand(
    clock: ManualClock, make_provider: Callable[..., FakeProvider]
) -> Callable[..., Stand]:
    def make(db: Database, provider: FakeProvider | None = None, **more: Any) -> Stand:
        chosen = provider or make_provider()
        signer = Signer(["a signing key of the tests"])
        topology = Topology(frozenset({"core-billing", "gateway-yookassa"}))
        made = Gateway(
            service="gateway-yookassa",
            db=db,
            producer=Producer("gateway-yookassa", topology, signer),
            clock=clock,
            signer=signer,
            vault=Vault([new_encryption_key()]),
            providers={chosen.shop: chosen},
            **{"timing": TIMING, **more},
        )
        return Stand(made, clock, chosen)

    return make


@pytest.fixture
async def stand(
    db: Database, make_stand: Callable[..., Stand], alarms: list[tuple[str, dict[str, Any]]]
) -> AsyncIterator[Stand]:
    made = make_stand(db)
    made.alarms = alarms
    yield made
    await made.gateway.creations.drain()


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The kinds of the alarms raised so far."""
    raised: list[Any] = []
    for module in ("settling", "creation", "polling", "lanes", "repeating"):
        monkeypatch.setattr(
            f"shared.gateway.{module}.alarm", lambda kind, **what: raised.append(kind)
        )
    return raised


@pytest.fixture
def refused() -> Refused:
    return Refused("invalid_request", "Payment amount is illegal")


class Caller:
    """Somebody who calls the gateway over HTTP, with a token where one is needed."""

    correlation = "corr-of-the-caller"

    def __init__(self, client: TestClient[web.Request, web.Application]) -> None:
        self._client = client
        self.headers: Mapping[str, str] = {}

    async def post(self, body: Any, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        given = {
            "Authorization": "Bearer demo",
            "Content-Type": "application/json",
            "X-Correlation-Id": self.correlation,
            **(headers or {}),
        }
        answer = await self._client.post("/yookassa/v1/payments", data=raw, headers=given)
        return answer.status, await answer.json(content_type=None)

    async def get(
        self, payment_id: str, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        path = f"/yookassa/v1/payments/{payment_id}"
        given = {"Authorization": "Bearer demo", **(headers or {})}
        answer = await self._client.get(URL(path, encoded=True), headers=given)
        return answer.status, await answer.json(content_type=None)

    async def call(self, body: Any, headers: Mapping[str, str] | None = None) -> int:
        answer = await self._client.post("/yookassa/callbacks", data=body, headers=headers)
        return answer.status

    async def open(
        self, order: str, language: str = "ru", method: str = "GET"
    ) -> tuple[int, str, str]:
        headers = {"Accept": "text/html", "Accept-Language": language}
        address = URL("/yookassa/pay").with_query({"order": order})
        return await self._browse(method, address, headers)

    async def home(self) -> tuple[int, str, str]:
        return await self._browse("GET", URL("/yookassa/"), {"Accept": "text/html"})

    async def _browse(
        self, method: str, address: URL, headers: Mapping[str, str]
    ) -> tuple[int, str, str]:
        answer = await self._client.request(method, address, headers=headers, allow_redirects=False)
        self.headers = answer.headers
        return answer.status, answer.headers.get("Location", ""), await answer.text()


def _read_callback(body: bytes) -> Nudge | None:
    """Read `{"id", "event"}`, the words of the fake provider."""
    try:
        said = orjson.loads(body)
        found, event = said["id"], said["event"]
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed("not a callback") from error
    if not isinstance(found, str):
        raise Malformed("not an id")
    known = event.startswith("payment.")
    return Nudge(event, SHOP, found, None, Status.SUCCEEDED) if known else None


@pytest.fixture
def make_caller(stand: Stand, aiohttp_client: AiohttpClient) -> Callable[..., Any]:
    async def make(allowed: Any = None, trusted: Any = ()) -> Caller:
        gateway = stand.gateway
        limits = Limits(Money(100), Money(35_000_000), PUBLIC_URL, timedelta(0))
        api = rest.build(gateway, limits, "Payments", "/yookassa")
        app = api.application(TOKENS)
        pay_page.setup(app, gateway, limits, "gateway-yookassa")
        intake = Intake(gateway.db, gateway.clock)
        networks = None if allowed is None else [ip_network(part) for part in allowed]
        proxies = [ip_network(part) for part in trusted]
        visitors = door.Visitors(networks, proxies)
        receive = door.handler(gateway.service, intake, _read_callback, gateway.clock, visitors)
        app.router.add_post("/callbacks", receive)

        async def running(_app: web.Application) -> AsyncIterator[None]:
            async with intake.running():
                yield

        app.cleanup_ctx.append(running)
        root = web.Application(
            middlewares=[_correlate, problem.middleware], client_max_size=1024**2
        )
        root.add_subapp("/yookassa", app)
        return Caller(await aiohttp_client(root))

    return make


@pytest.fixture
async def caller(make_caller: Callable[..., Any]) -> Caller:
    made: Caller = await make_caller()
    return made


@web.middleware
async def _correlate(request: web.Request, handler: Any) -> web.StreamResponse:
    """Stand in for the runner, which gives each request its correlation id."""
    with logs.bind_correlation(logs.acceptable(request.headers.get("X-Correlation-Id"))):
        answer: web.StreamResponse = await handler(request)
    return answer
