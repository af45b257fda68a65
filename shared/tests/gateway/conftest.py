"""A gateway on either database, a provider that lives in the test, a clock that is moved."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy import select
from yarl import URL

from servers import databases
from servers.processes import run_aside
from shared import log as logs
from shared import problem
from shared.clock import ManualClock
from shared.crypto import Signer, Vault, new_encryption_key, token_hash
from shared.db import Database, open_database, reading, transaction
from shared.errors import Text
from shared.events import Allocation, ContractChanged, Event, decode
from shared.gateway import (
    capturing,
    directory,
    door,
    lanes,
    methods,
    methods_binding,
    methods_work,
    payments,
    polling,
    printing,
    refund_asking,
    refund_polling,
    refunds,
    repeating,
    rest,
    work,
)
from shared.gateway import till as tills
from shared.gateway import web as pay_page
from shared.gateway.callbacks import Received
from shared.gateway.gateway import Gateway, Timing
from shared.gateway.intake import Intake
from shared.gateway.journal import Journal
from shared.gateway.limits import Limits
from shared.gateway.method import MethodStatus, ProviderMethod
from shared.gateway.methods_rules import Method
from shared.gateway.orders import Begun, Wish, begin
from shared.gateway.provider import (
    Forged,
    Kind,
    Malformed,
    Missing,
    Nudge,
    Order,
    Page,
    ProviderPayment,
    ProviderRefund,
    RefundOrder,
    RefundPage,
    Refused,
    Status,
    Unclear,
)
from shared.gateway.receipt import Receipt, ReceiptTerms
from shared.gateway.refund_asking import Asked
from shared.gateway.refund_settle import Refund
from shared.gateway.settle import Payment
from shared.gateway.terms import Terms
from shared.gateway.till import Issued, Registered, Registration
from shared.gateway.vat import Vat
from shared.gateway.visits import Keeping
from shared.inbox import Result, apply
from shared.money import Money
from shared.outbox import Producer, outbox
from shared.settings import ApiToken
from shared.topology import Topology

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
SHOP = "yookassa:100500"
SECOND = timedelta(seconds=1)
VAULT_KEY = new_encryption_key()
PUBLIC_URL = "https://pay.example.org"
TOKENS = {
    token_hash("demo"): ApiToken(
        name="demo", scopes=("payments:write",), return_urls=("https://shop.example",)
    ),
    token_hash("reader"): ApiToken(name="reader", scopes=("payments:read",)),
    token_hash("auditor"): ApiToken(name="auditor", scopes=("journal:read",)),
}
ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
TABLES = [table.name for schema in work.SCHEMAS for table in schema.sorted_tables]
TERMS = Terms(Money(100), Money(35_000_000))
TIMING = Timing(
    poll=(20 * SECOND, 40 * SECOND, 60 * SECOND),
    retry=(2 * SECOND, 5 * SECOND, 60 * SECOND),
    stale=(SECOND, 2 * SECOND),
    repeat=(60 * SECOND, 120 * SECOND, 600 * SECOND),
    list_after=timedelta(hours=23),
    doubt=120 * SECOND,
    acknowledged_within=timedelta(hours=1),
    answer_within=5 * SECOND,
    create_lease=80 * SECOND,
    fetch_lease=16 * SECOND,
    receipts=(30 * SECOND, 60 * SECOND, 300 * SECOND),
    receipt_overdue=timedelta(days=3),
    poll_seconds=0.001,
)


@dataclass
class FakeProvider:
    """A provider with a memory: what it has made, whom it has heard, and what it is told to do.

    `creates` and `fetches` are scripts: each entry answers one call. `LOST` makes the payment and
    loses the answer; an exception class is raised; None works as a provider should. So are
    `refund_creates` and `refund_fetches`; `refund_ends` says how the next refunds begin.
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
    refunds: dict[str, ProviderRefund] = field(default_factory=dict)
    refunds_sent: list[tuple[str, bytes]] = field(default_factory=list)
    refund_creates: list[Any] = field(default_factory=list)
    refund_fetches: list[Any] = field(default_factory=list)
    refund_lists: list[Any] = field(default_factory=list)
    refund_ends: list[Status] = field(default_factory=list)
    captures: list[Any] = field(default_factory=list)
    capture_keys: set[str] = field(default_factory=set)
    taken: list[tuple[str, str, bytes]] = field(default_factory=list)
    page_size: int = 100
    pages: int = 0
    kinds: frozenset[str] = frozenset({"bank_card", "sbp"})
    kept_methods: dict[str, ProviderMethod] = field(default_factory=dict)
    binds: list[Any] = field(default_factory=list)
    bound: dict[str, str] = field(default_factory=dict)
    """Key of a binding → token."""
    outcomes: list[Any] = field(default_factory=list)
    """What the next charges come to: changes of the payment; success where there are none."""
    slow: asyncio.Event | None = None
    heard: asyncio.Event = field(default_factory=asyncio.Event)

    def request(self, order: Order) -> bytes:
        return orjson.dumps(
            {
                "payment_id": str(order.payment_id),
                "amount": order.amount_kopecks,
                "parts": [[p.contract, p.amount_kopecks] for p in order.allocations],
                "receipt": order.receipt,
                "save": order.save,
                "token": order.token,
                "charge_id": order.charge_id,
                **({"means": order.means} if order.means else {}),
                **({"qr": True} if order.qr else {}),
                **({} if order.capture else {"capture": False}),
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
                confirmation_url=None if "qr" in said else f"https://pay.example/{provider_id}",
                qr_payload=f"https://qr.example/{provider_id}" if "qr" in said else None,
                payment_id=UUID(said["payment_id"]),
                allocations=tuple(
                    Allocation(contract=c, amount_kopecks=k) for c, k in said["parts"]
                ),
                charge_id=said.get("charge_id"),
            ),
            **changes,
        )
        if said.get("token") is not None:
            self.charge(provider_id)
        return provider_id

    def charge(self, provider_id: str) -> None:
        told = self.outcomes.pop(0) if self.outcomes else None
        if told is None:
            self.pay(provider_id)
        else:
            self.change(provider_id, **told)

    def save(self, provider_id: str, **changes: Any) -> ProviderMethod:
        """Pay a payment and keep what it was paid with."""
        said = {"kind": "bank_card", "title": "Visa •4477", "expires": "2028-07", **changes}
        token = said.pop("token", f"token-{provider_id}")
        kept = ProviderMethod(token, MethodStatus.ACTIVE, **said)
        self.kept_methods[kept.token] = kept
        self.pay(provider_id, saved=kept)
        return kept

    def binding(self, kind: str, return_url: str) -> bytes:
        return orjson.dumps({"kind": kind, "return_url": return_url})

    async def bind(self, key: str, request: bytes) -> Any:
        self.sent.append((key, request))
        told = self.binds.pop(0) if self.binds else None
        if told is not None and told != "lost":
            return told
        if key not in self.bound:
            token = f"bound-{uuid4()}"
            kind = orjson.loads(request)["kind"]
            url = f"https://pay.example/bind/{len(self.bound)}"
            self.kept_methods[token] = ProviderMethod(
                token, MethodStatus.PENDING, kind, confirmation_url=url
            )
            self.bound[key] = token
        return Unclear("lost") if told == "lost" else self.kept_methods[self.bound[key]]

    async def kept(self, token: str) -> Any:
        self.asked.append(token)
        told = self.fetches.pop(0) if self.fetches else None
        return told if told is not None else self.kept_methods.get(token, Missing())

    def confirm(self, token: str, **changes: Any) -> None:
        said = {"status": MethodStatus.ACTIVE, "title": "Мир •0004", "expires": "2029-01"}
        self.kept_methods[token] = replace(self.kept_methods[token], **{**said, **changes})

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

    def hold(self, provider_id: str, until: datetime | None = None) -> None:
        held = {"on_hold": True, "hold_until": until or self.clock() + timedelta(days=7)}
        self.change(provider_id, said="waiting_for_capture", **held)

    def capture_request(self, amount_kopecks: int) -> bytes:
        return b"take %d" % amount_kopecks

    async def capture(self, provider_payment_id: str, key: str, request: bytes) -> Any:
        self.taken.append((provider_payment_id, key, request))
        told = self.captures.pop(0) if self.captures else None
        if told is not None and told != "lost":
            return told
        if self.made[provider_payment_id].on_hold:
            self.pay(provider_payment_id, on_hold=False, hold_until=None)
        elif key not in self.capture_keys:
            return Refused("invalid_request", "Payment can not be captured in current status")
        self.capture_keys.add(key)
        return Unclear("lost") if told == "lost" else self.made[provider_payment_id]

    async def listed(self, since: datetime, until: datetime, cursor: str | None) -> Any:
        self.pages += 1
        told = self.lists.pop(0) if self.lists else None
        if told is not None:
            return told
        within = [p for p in self.made.values() if since <= p.created_at <= until]
        return self._page(within, cursor)

    async def captured(self, since: datetime, until: datetime, cursor: str | None) -> Any:
        self.pages += 1
        told = self.lists.pop(0) if self.lists else None
        if told is not None:
            return told
        paid = (p for p in self.made.values() if p.status is Status.SUCCEEDED)
        return self._page([p for p in paid if p.paid_at and since <= p.paid_at <= until], cursor)

    def _page(self, within: list[ProviderPayment], cursor: str | None) -> Page:
        newest = sorted(within, key=lambda p: (p.created_at, p.id), reverse=True)
        start = int(cursor or 0)
        end = start + self.page_size
        return Page(newest[start:end], str(end) if end < len(newest) else None)

    def refund_request(self, order: RefundOrder) -> bytes:
        said = {"id": str(order.refund_id), "of": order.provider_payment_id}
        return orjson.dumps(
            {
                **said,
                "amount": order.amount_kopecks,
                "whole": order.whole,
                "ask": order.request_id,
                "receipt": order.receipt,
            }
        )

    async def create_refund(self, key: str, request: bytes) -> Any:
        self.refunds_sent.append((key, request))
        self.heard.set()
        told = self.refund_creates.pop(0) if self.refund_creates else None
        if self.slow is not None:
            await self.slow.wait()
        if told is not None and told != "lost":
            return told
        if key in self.keys:
            assert self.keys[key][0] == request, "the same key came with other bytes"
        else:
            said = orjson.loads(request)
            if said["amount"] > self.left(said["of"]):
                return Refused("invalid_request", "Refund sum exceeded amount")
            refund_id = self.send_back(
                said["of"], said["amount"], refund_id=UUID(said["id"]), request_id=said["ask"]
            )
            self.keys[key] = (request, refund_id)
        return Unclear("lost") if told == "lost" else self.refunds[self.keys[key][1]]

    def left(self, of: str) -> int:
        live = [r for r in self.refunds.values() if r.status is not Status.CANCELED]
        gone = sum(r.amount_kopecks for r in live if r.provider_payment_id == of)
        return self.made[of].amount_kopecks - gone

    def send_back(self, of: str, amount: int, **more: Any) -> str:
        """Make a refund, as in the profile; pending ones are ended by `end_refund`."""
        status = self.refund_ends.pop(0) if self.refund_ends else Status.SUCCEEDED
        made = ProviderRefund(
            id=str(uuid4()),
            provider_payment_id=of,
            status=Status.PENDING,
            said="pending",
            amount_kopecks=amount,
            currency=more.pop("currency", "RUB"),
            created_at=self.clock(),
            **more,
        )
        self.refunds[made.id] = made
        if status is not Status.PENDING:
            self.end_refund(made.id, status)
        return made.id

    def end_refund(self, refund_id: str, status: Status, reason: str = "") -> None:
        ended = replace(self.refunds[refund_id], status=status, said=str(status), reason=reason)
        self.refunds[refund_id] = ended
        if status is Status.SUCCEEDED:
            paid = self.made[ended.provider_payment_id]
            self.change(paid.id, refunded_kopecks=paid.refunded_kopecks + ended.amount_kopecks)

    async def fetch_refund(self, provider_refund_id: str) -> Any:
        self.asked.append(provider_refund_id)
        told = self.refund_fetches.pop(0) if self.refund_fetches else None
        return self.refunds.get(provider_refund_id, Missing()) if told is None else told

    def explained(self, failure: str) -> Text | None:
        return Text("come later", "приходите позже") if failure == "insufficient_funds" else None

    async def refunds_listed(
        self, since: datetime, until: datetime, cursor: str | None, of: str | None = None
    ) -> Any:
        self.pages += 1
        told = self.refund_lists.pop(0) if self.refund_lists else None
        if told is not None:
            return told
        within = [r for r in self.refunds.values() if since <= r.created_at <= until]
        mine = [r for r in within if of in (None, r.provider_payment_id)]
        start = int(cursor or 0)
        end = start + self.page_size
        return RefundPage(mine[start:end], str(end) if end < len(mine) else None)


@dataclass
class FakeTill:
    """A cash register with a memory; `creates`, `states` and `lists` are scripts as above."""

    made: list[Issued] = field(default_factory=list)
    keys: dict[str, tuple[bytes, Issued]] = field(default_factory=dict)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    creates: list[Any] = field(default_factory=list)
    states: list[Any] = field(default_factory=list)
    lists: list[Any] = field(default_factory=list)
    looks: int = 0
    apart: bool = False
    """Whether it prints nothing by itself, and knows each receipt by its key."""

    def receipt_request(self, kind: tills.Kind, receipt: Receipt, of: str) -> bytes:
        return orjson.dumps({"payment": of, "receipt": receipt})

    async def create_receipt(self, key: str, request: bytes) -> Any:
        self.sent.append((key, request))
        told = self.creates.pop(0) if self.creates else None
        if told is not None and told != "lost":
            return told
        if key in self.keys:
            assert self.keys[key][0] == request, "the same key came with other bytes"
        else:
            self.keys[key] = (request, self.add(request))
        return Unclear("lost") if told == "lost" else self.keys[key][1]

    def add(self, request: bytes) -> Issued:
        said = orjson.loads(request)
        (line,) = said["receipt"]["lines"]
        receipt_id = f"rt-{len(self.made)}"
        made = Issued(
            id=receipt_id,
            provider_payment_id=said["payment"],
            text=line["text"],
            mode=line["mode"],
            kopecks=line["price_kopecks"] * line["quantity"],
            registered=Registered(Registration.PENDING, receipt_id),
        )
        self.made.append(made)
        return made

    async def receipts_of(self, provider_payment_id: str) -> Any:
        self.looks += 1
        told = self.lists.pop(0) if self.lists else None
        mine = [one for one in self.made if one.provider_payment_id == provider_payment_id]
        return list(reversed(mine)) if told is None else told

    async def registration(self, kind: tills.Kind, about: str) -> Any:
        self.asked.append((str(kind), about))
        told = self.states.pop(0) if self.states else Registration.PENDING
        return Registered(told) if isinstance(told, Registration) else told


class Stand:
    """A gateway and hands to move it."""

    def __init__(self, gateway: Gateway, clock: ManualClock, provider: FakeProvider) -> None:
        self.gateway = gateway
        self.clock = clock
        self.provider = provider
        self.alarms: list[str] = []

    @property
    def till(self) -> Any:
        """The cash register of a stand that prints receipts."""
        return self.gateway.tills[self.provider.shop]

    async def wish(self, amount: int = 65_000, **more: Any) -> Begun:
        part = Allocation(contract=more.pop("contract", "100245"), amount_kopecks=amount)
        shop = self.gateway.providers[more.pop("shop", self.provider.shop)]
        return await begin(
            self.gateway,
            shop,
            Wish(
                allocations=more.pop("allocations", (part,)),
                amount_kopecks=amount,
                return_url="https://pay.example.org/back",
                correlation_id="corr",
                **more,
            ),
            SECOND / 5 if shop.slow is not None else TIMING.answer_within,
        )

    async def settle(self, rounds: int = 20) -> None:
        """Run every loop until nothing is due at this moment."""
        for _ in range(rounds):
            steps = (lanes.step, polling.step, methods_work.step)
            more = [await step(self.gateway) for step in steps]
            await self.gateway.callbacks.drain()
            await self.gateway.bindings.drain()
            await self.gateway.polls.drain()
            await lanes.foreign_step(self.gateway)
            more.append(await refund_polling.step(self.gateway))
            await self.gateway.refunds.drain()
            more.append(await printing.step(self.gateway))
            await self.gateway.printing.drain()
            more += [await repeating.step(self.gateway), await capturing.step(self.gateway)]
            await self.gateway.captures.drain()
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
        nudge = Nudge(event, shop, provider_id, more.pop("payment_id", None), claims, **more)
        intake = Intake(self.gateway.db, self.clock)
        async with intake.running():
            await intake.put(Received(nudge, self.clock()))
        await self.settle()

    async def paid(self, amount: int = 65_000) -> Payment:
        """Return a payment that has succeeded."""
        begun = await self.wish(amount)
        assert begun.payment.provider_payment_id is not None
        self.provider.pay(begun.payment.provider_payment_id)
        await self.callback(begun.payment.provider_payment_id)
        return await self.payment(begun.payment.id)

    async def ask(self, payment: Payment, amount: int, **more: Any) -> Asked:
        """Ask for a refund, as a caller of the API does."""
        said = {"reason": "", "correlation_id": "corr", "asked_by": "demo", **more}
        wish = refund_asking.Wish(payment_id=payment.id, amount_kopecks=amount, **said)
        return await refund_asking.ask(self.gateway, wish, TIMING.answer_within)

    async def hear(self, *events: Event) -> list[Result]:
        """Take events from the bus."""
        return await apply(work.consumer(self.gateway, "gateway-yookassa"), events, self.clock)

    async def refund_callback(self, refund_id: str, of: str, **more: Any) -> None:
        """Store a callback about a refund, and work through it."""
        about = {"event": "refund.succeeded", "kind": Kind.REFUND, "about": of}
        await self.callback(refund_id, **{**about, **more})

    async def refund(self, refund_id: UUID) -> Refund:
        async with reading(self.gateway.db) as tx:
            found = await refunds.find(tx, refund_id)
        assert found is not None
        return found

    async def reserved(self, payment: Payment) -> int:
        return (await self.payment(payment.id)).reserved_kopecks

    async def payment(self, payment_id: UUID) -> Payment:
        async with reading(self.gateway.db) as tx:
            found = await payments.find(tx, payment_id)
        assert found is not None
        return found

    async def method(self, method_id: UUID) -> Method:
        async with reading(self.gateway.db) as tx:
            found = await methods.find(tx, method_id)
        assert found is not None
        return found

    async def follow(self, *events: Event) -> list[Result]:
        """Take events from the bus, and work through what follows."""
        results = await self.hear(*events)
        await self.settle()
        return results

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

    async def know(
        self, number: str, status: str = "open", revision: int = 1, operator: str = "op"
    ) -> None:
        said = ContractChanged(
            contract=number,
            occurred_at=NOON,
            revision=revision,
            operator=operator,
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
    monkeypatch.setattr("shared.gateway.bucket.SPREAD", 0.0)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOON)


@pytest.fixture(scope="session")
def gateway_postgres(postgres_server: str) -> Iterator[str]:
    """One database with the gateway's tables; making one per test costs a second each."""
    url = run_aside(
        databases.create(postgres_server, databases.fresh_name("gateway"), durable=False)
    )
    run_aside(_create_tables(url))
    yield url
    run_aside(databases.drop(postgres_server, url.rpartition("/")[2]))


@pytest.fixture(scope="session")
def gateway_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the gateway's tables, to be copied."""
    path = tmp_path_factory.mktemp("gateway") / "template.db"
    run_aside(_create_tables(f"sqlite+aiosqlite:///{path}"))
    return path


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=ON_POSTGRES)])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database with the gateway's tables: SQLite, then PostgreSQL."""
    if request.param == "postgres":
        url = request.getfixturevalue("gateway_postgres")
        await databases.empty(url, TABLES)
    else:
        path = shutil.copy(request.getfixturevalue("gateway_sqlite"), tmp_path / "gateway.db")
        url = f"sqlite+aiosqlite:///{path}"
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
def vault_key() -> str:
    """What every stand seals with, unless it is given another vault."""
    return VAULT_KEY


@pytest.fixture
def terms() -> Terms:
    """What the shop of a stand takes; a file about saved methods says so here."""
    return TERMS


@pytest.fixture
def make_stand(
    clock: ManualClock, make_provider: Callable[..., FakeProvider], terms: Terms
) -> Callable[..., Stand]:
    def make(db: Database, provider: FakeProvider | None = None, **more: Any) -> Stand:
        chosen = provider or make_provider()
        signer = Signer(["a signing key of the tests"])
        topology = Topology(frozenset({"core-billing", "gateway-yookassa", "autopay"}))
        made = Gateway(
            service="gateway-yookassa",
            db=db,
            producer=Producer("gateway-yookassa", topology, signer),
            clock=clock,
            signer=signer,
            **{
                "vault": Vault([VAULT_KEY]),
                "providers": {chosen.shop: chosen},
                "keepers": {chosen.shop: chosen},
                "terms": {chosen.shop: terms},
                "timing": TIMING,
                **more,
            },
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
async def fiscal_stand(
    db: Database, make_stand: Callable[..., Stand], alarms: list[Any]
) -> AsyncIterator[Stand]:
    """A gateway whose shop prints receipts."""
    terms = replace(TERMS, receipts=ReceiptTerms(Vat.BASE))
    made = make_stand(db, terms={SHOP: terms}, tills={SHOP: FakeTill()})
    made.alarms = alarms
    yield made
    await made.gateway.creations.drain()


@pytest.fixture
def alarms(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The kinds of the alarms raised so far."""
    raised: list[Any] = []
    refunds = ("refund_settling", "refund_sending", "refund_polling", "refund_requests")
    printed = ("registration", "offsets", "printing", "apart")
    payments = ("settling", "creation", "polling", "lanes", "repeating", "capturing")
    kept = ("charges", "charge_sending", "charging", "mandates", "methods_saving", "methods_work")
    for module in (*payments, *refunds, *printed, *kept):
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

    async def post(
        self, body: Any, headers: Mapping[str, str] | None = None, path: str = "/v1/payments"
    ) -> tuple[int, Any]:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        given = {
            "Authorization": "Bearer demo",
            "Content-Type": "application/json",
            "X-Correlation-Id": self.correlation,
            **(headers or {}),
        }
        answer = await self._client.post(f"/yookassa{path}", data=raw, headers=given)
        return answer.status, await answer.json(content_type=None)

    async def get(
        self,
        payment_id: str,
        headers: Mapping[str, str] | None = None,
        path: str = "/v1/payments/{}",
    ) -> tuple[int, Any]:
        path = f"/yookassa{path}".replace("{}", payment_id)
        given = {"Authorization": "Bearer demo", **(headers or {})}
        answer = await self._client.get(URL(path, encoded=True), headers=given)
        return answer.status, await answer.json(content_type=None)

    async def ask_refund(
        self, payment_id: Any, body: Any, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        path = f"/yookassa/v1/payments/{payment_id}/refunds"
        given = {"Authorization": "Bearer demo", "Accept-Language": "en", **(headers or {})}
        answer = await self._client.post(URL(path, encoded=True), json=body, headers=given)
        return answer.status, await answer.json(content_type=None)

    async def look(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        given = {"Authorization": "Bearer demo", **(headers or {})}
        address = URL(f"/yookassa{path}", encoded=True)
        answer = await self._client.get(address, headers=given)
        return answer.status, await answer.json(content_type=None)

    async def call(self, body: Any, headers: Mapping[str, str] | None = None) -> int:
        answer = await self._client.post("/yookassa/callbacks", data=body, headers=headers)
        self.answer = await answer.read()
        return answer.status

    async def open(
        self, order: str, language: str = "ru", method: str = "GET"
    ) -> tuple[int, str, str]:
        headers = {"Accept": "text/html", "Accept-Language": language}
        address = URL("/yookassa/pay").with_query({"order": order})
        return await self._browse(method, address, headers)

    async def choose(
        self, order: str, method: str, contact: str | None = None, **more: str
    ) -> tuple[int, str, str]:
        form = {"order": order, "method": method, **more}
        if contact is not None:
            form["contact"] = contact
        return await self._browse("POST", URL("/yookassa/pay"), {"Accept": "text/html"}, form)

    async def visit(self, path: str, accept: str = "text/html") -> tuple[int, str, str]:
        return await self._browse("GET", URL(path, encoded=True), {"Accept": accept})

    async def browse(self, method: str, link: str, language: str = "ru") -> tuple[int, str]:
        """Open a page of ours by its public address."""
        headers = {"Accept": "text/html", "Accept-Language": language}
        address = URL(link.removeprefix(PUBLIC_URL), encoded=True)
        status, _, page = await self._browse(method, address, headers)
        return status, page

    async def home(self) -> tuple[int, str, str]:
        return await self._browse("GET", URL("/yookassa/"), {"Accept": "text/html"})

    async def _browse(
        self, method: str, address: URL, headers: Mapping[str, str], form: Any = None
    ) -> tuple[int, str, str]:
        answer = await self._client.request(
            method, address, headers=headers, data=form, allow_redirects=False
        )
        self.headers = answer.headers
        return answer.status, answer.headers.get("Location", ""), await answer.text()


SIGNATURE = "X-Fake-Signature"
ANSWER = b"taken"


def _read_callback(request: web.BaseRequest, body: bytes) -> Nudge | None:
    """Read `{"id", "event"}`, the words of the fake provider; the signature is the word "fine"."""
    if request.headers.get(SIGNATURE, "fine") != "fine":
        raise Forged
    try:
        said = orjson.loads(body)
        found, event = said["id"], said["event"]
    except (ValueError, KeyError, TypeError) as error:
        raise Malformed("not a callback") from error
    if not isinstance(found, str):
        raise Malformed("not an id")
    if event == "payment_method.active":
        return Nudge(event, SHOP, found, None, Status.SUCCEEDED, Kind.METHOD)
    if not event.startswith("payment."):
        return None
    proof = f"signed {found}" if event == "payment.signed" else None
    return Nudge(event, SHOP, found, None, Status.SUCCEEDED, kept=_mask(body), proof=proof)


def _mask(body: bytes) -> bytes:
    """Keep the event of the fake provider's words."""
    try:
        return orjson.dumps({"event": orjson.loads(body)["event"]})
    except (ValueError, KeyError, TypeError):
        return b""


@pytest.fixture
def make_caller(stand: Stand, aiohttp_client: AiohttpClient) -> Callable[..., Any]:
    async def make(allowed: Any = None, trusted: Any = (), prove: Any = None) -> Caller:
        gateway = stand.gateway
        limits = Limits(PUBLIC_URL, timedelta(0))
        api = rest.build(gateway, limits, "Payments", "/yookassa")
        app = api.application(TOKENS)
        pay_page.setup(app, gateway, limits, "gateway-yookassa")
        intake = Intake(gateway.db, gateway.clock)
        networks = None if allowed is None else [ip_network(part) for part in allowed]
        proxies = [ip_network(part) for part in trusted]
        visitors = door.Visitors(networks, proxies)
        journal = Journal(gateway.db, gateway.service, gateway.clock, timedelta(days=90))
        keeping = Keeping(journal, _mask)
        wake = partial(methods_binding.nudge, gateway)
        taking = door.Taking(intake, wake, prove, ANSWER)
        receive = door.handler(
            gateway.service, _read_callback, gateway.clock, visitors, keeping, taking
        )
        app.router.add_post("/callbacks", receive)

        async def running(_app: web.Application) -> AsyncIterator[None]:
            async with journal.running(), intake.running():
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
