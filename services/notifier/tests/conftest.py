"""What the notifier's tests share: a clock that is moved, a database, and servers on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Row, select

from notifier import consumer, delivery, journal, prepare
from notifier.channels.port import Accepted, ChannelName, Outcome, Outgoing
from notifier.consumer import Freshness
from notifier.content import Content
from notifier.delivery import Delivery, Patience
from notifier.gate import DEFAULT_RULES, Rules
from notifier.migrations import SCHEMAS
from notifier.prepare import Preparation
from notifier.reach import DEFAULT_REACHING, Reaching
from servers import databases
from servers.processes import run_aside
from shared import inbox
from shared.clock import ManualClock
from shared.crypto import Vault, new_encryption_key
from shared.db import Database, open_database, reading
from shared.events import (
    BalanceLow,
    BalanceRecovered,
    ContractChanged,
    Event,
    PaymentPosted,
    SubscriberChanged,
)
from shared.events_billing import ContractBlocked, ContractUnblocked
from shared.inbox import Outcome as Heard
from shared.outbox import Producer

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
CORE = "core-billing"
PHONE = "+79161234567"
EMAIL = "anna@example.org"
ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
FRESHNESS = Freshness(timedelta(days=3), timedelta(days=1))
HOW = Preparation(
    operator="Saldo",
    operators={"Связь": "Связь", "second": "Вторая сеть"},
    cabinet_url="https://pay.example.org/cabinet/",
    recipient_wait=timedelta(hours=2),
    look_delays=(timedelta(seconds=5), timedelta(minutes=1)),
)
PATIENCE = Patience(
    attempts_max=3,
    delays=(timedelta(seconds=30), timedelta(minutes=2)),
    timeout=timedelta(seconds=10),
    per_second=100,
)


@pytest.fixture
def clock() -> ManualClock:
    """A clock at noon in Moscow."""
    return ManualClock(NOON)


@pytest.fixture
def vault() -> Vault:
    """A vault with one key."""
    return Vault([new_encryption_key()])


@pytest.fixture(scope="session")
def prepared_postgres(postgres_server: str) -> Iterator[str]:
    """One PostgreSQL database for all tests: making one takes longer than most of them."""
    name = databases.fresh_name("notifier")
    url = run_aside(databases.create(postgres_server, name, durable=False))
    run_aside(_create_tables(url))
    yield url
    run_aside(databases.drop(postgres_server, name))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=ON_POSTGRES)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with tables: the test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/notifier.db"
    url: str = request.getfixturevalue("prepared_postgres")
    return url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """The notifier's database, empty."""
    opened = open_database(database_url)
    if not opened.postgres:
        await _create_tables(database_url)
    async with opened.engine.begin() as connection:
        for schema in SCHEMAS:
            for table in schema.sorted_tables:
                await connection.execute(table.delete())
    yield opened
    await opened.close()


async def _create_tables(url: str) -> None:
    db = open_database(url)
    async with db.engine.begin() as connection:
        for schema in SCHEMAS:
            await connection.run_sync(schema.create_all)
    await db.close()


class Said:
    """Events as core-billing says them; what a test does not name has a value that fits."""

    NOON = NOON
    PHONE = PHONE
    EMAIL = EMAIL

    def contract(self, number: str = "100245", **given: Any) -> Event:
        """Say the state of a contract."""
        state = {"revision": 1, "operator": "Связь", "status": "open", "subscriber_id": "s-1"}
        body = ContractChanged(contract=number, occurred_at=NOON, **{**state, **given})
        return self._event(body, number, body.revision)

    def subscriber(self, this: str = "s-1", **given: Any) -> Event:
        """Say the state of a subscriber."""
        state = {"revision": 1, "name": "Анна", "phone": PHONE, "email": EMAIL}
        body = SubscriberChanged(subscriber_id=this, occurred_at=NOON, **{**state, **given})
        return self._event(body, this, f"{body.revision}:{given}")

    def payment(self, number: str | None = "100245", payment: str = "p-1", **given: Any) -> Event:
        """Say that a payment was posted."""
        facts = {
            "payment_id": "1",
            "provider": "yookassa:100500",
            "amount_kopecks": 65_000,
            "balance_kopecks": -55_000,
            "available_kopecks": -55_000,
            "occurred_at": NOON,
        }
        again = given.pop("again", "")
        body = PaymentPosted(contract=number, provider_payment_id=payment, **{**facts, **given})
        return self._event(body, number or "", f"{body.provider}:{payment}{again}")

    def low(self, number: str = "100245", crossing: int = 1, **given: Any) -> Event:
        """Say that the balance went below the threshold."""
        facts = {
            "watcher": "notifier",
            "threshold_kopecks": 10_000,
            "balance_kopecks": -120_000,
            "needed_kopecks": 130_000,
            "occurred_at": NOON,
        }
        body = BalanceLow(contract=number, crossing=crossing, **{**facts, **given})
        return self._event(body, number, f"{body.watcher}:{crossing}")

    def recovered(self, number: str = "100245", crossing: int = 1, **given: Any) -> Event:
        """Say that the balance is fine again."""
        facts = {"watcher": "notifier", "balance_kopecks": 20_000, "occurred_at": NOON}
        body = BalanceRecovered(contract=number, crossing=crossing, **{**facts, **given})
        return self._event(body, number, f"{body.watcher}:{crossing}")

    def access(self, number: str = "100245", revision: int = 1, **given: Any) -> Event:
        """Say the access of a contract; odd revisions block it."""
        model = ContractBlocked if revision % 2 else ContractUnblocked
        facts = {
            "reason": "below_zero",
            "balance_kopecks": -100 * revision,
            "available_kopecks": -100 * revision,
            "occurred_at": NOON,
        }
        body = model(contract=number, revision=revision, **{**facts, **given})
        return self._event(body, number, revision)

    def _event(self, body: Any, subject: str, revision: str | int) -> Event:
        event: Event = body.event(CORE, subject=subject, revision=revision, correlation_id="c-77")
        return event


@pytest.fixture
def said() -> Said:
    """The voice of core-billing."""
    return Said()


class Hand:
    """A channel that a test holds in its hand: it remembers, and answers as it is told."""

    def __init__(self, name: ChannelName, parallel: int = 3) -> None:
        self.name: ChannelName = name
        self.parallel = parallel
        self.taken: list[Outgoing] = []
        self.answer: Callable[[Outgoing], Awaitable[Outcome] | Outcome] = _accept

    async def send(self, outgoing: Outgoing) -> Outcome:
        """Remember the message and answer."""
        self.taken.append(outgoing)
        answer = self.answer(outgoing)
        return await answer if isinstance(answer, Awaitable) else answer

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Nothing to hold."""
        yield


def _accept(outgoing: Outgoing) -> Outcome:
    return Accepted(f"at-provider-{outgoing.key}")


@dataclass
class World:
    """A notifier without its runner: each step is taken by the test."""

    db: Database
    vault: Vault
    clock: ManualClock
    sms: Hand = field(default_factory=lambda: Hand("sms"))
    email: Hand = field(default_factory=lambda: Hand("email"))
    freshness: Freshness = FRESHNESS
    how: Preparation = HOW
    patience: Patience = PATIENCE
    rules: Rules = DEFAULT_RULES
    reaching: Reaching = DEFAULT_REACHING
    producer: Producer | None = None

    async def hear(self, *events: Event) -> list[Heard]:
        """Consume events as one batch; return what became of each."""
        listening = consumer.make(self.db, self.vault, self.freshness, self.clock, self.reaching)
        return [result.outcome for result in await inbox.apply(listening, events, self.clock)]

    async def prepare(self) -> bool:
        """Take one step of preparation."""
        how = replace(self.how, reaching=self.reaching, producer=self.producer)
        return await prepare.step(self.db, self.vault, how, self.clock)

    async def deliver(self, hand: Any = None) -> bool:
        """Take one step of delivery, on both channels unless one is named."""
        channels = [hand] if hand is not None else [self.sms, self.email]
        steps = [
            delivery.step(
                Delivery(
                    self.db,
                    self.vault,
                    channel,
                    self.patience,
                    self.clock,
                    self.rules,
                    self.reaching,
                    self.producer,
                )
            )
            for channel in channels
        ]
        return any([await step for step in steps])

    async def rows(self, **wanted: Any) -> Sequence[Row[Any]]:
        """Return the journal's rows whose columns have the wanted values."""
        chosen = select(journal.message).order_by(journal.message.c.channel)
        for name, value in wanted.items():
            chosen = chosen.where(journal.message.c[name] == value)
        async with reading(self.db) as tx:
            return (await tx.execute(chosen)).all()

    async def row(self, **wanted: Any) -> Row[Any]:
        """Return the only row with the wanted values."""
        (found,) = await self.rows(**wanted)
        return found


@pytest.fixture
def world(db: Database, vault: Vault, clock: ManualClock) -> World:
    """A notifier whose channels are in the test's hand."""
    return World(db, vault, clock)


def outgoing(key: UUID | None = None, **given: Any) -> Outgoing:
    """Return a message on its way."""
    content = Content(
        to=given.pop("to", EMAIL),
        text=given.pop("text", "Зачислено 650,00 ₽"),
        subject=given.pop("subject", "Зачислено 650,00 ₽ на договор 100245"),
        html=given.pop("html", "<p>Зачислено 650,00 ₽</p>"),
    )
    return Outgoing(key or uuid4(), content, "c-77", NOON, **given)


@pytest.fixture(name="outgoing")
def _outgoing() -> Callable[..., Outgoing]:
    """Make a message on its way."""
    return outgoing


@pytest.fixture
def environment() -> dict[str, str]:
    """Settings with which the notifier would start."""
    return {
        "SALDO_DATABASE_URL": "sqlite+aiosqlite:///{service}.db",
        "SALDO_BUS_URL": "memory://",
        "SALDO_PUBLIC_URL": "https://pay.example.org",
        "SALDO_SIGNING_KEYS": "sixteen-characters",
        "SALDO_ENCRYPTION_KEYS": new_encryption_key(),
        "SMTP_URL": "smtp://robot:secret@mail.example.org:587",
        "MAIL_FROM": "Салдо <billing@provider.example>",
        "SMS_PROVIDER": "smsc",
        "NOTIFIER_QUIET_HOURS": "",
        "SMSC_API_URL": "https://sms.example.org",
        "SMSC_LOGIN": "demo",
        "SMSC_PASSWORD": "secret",
    }
