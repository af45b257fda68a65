"""What autopay's tests share: a clock that is moved, a database, and the voices of the others."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import event as listening
from sqlalchemy import select

from autopay import charges, consumer, expiring, mandates, occasions, work
from autopay.autopay import Autopay, Rules
from autopay.case import Charge, Occasion
from autopay.consents import Consent
from autopay.mandate import Limits, Mandate, MethodName, Terms, Trigger
from autopay.migrations import SCHEMAS
from autopay.retries import Rules as Retries
from autopay.schedule import Hours, Notice
from servers import databases
from servers.processes import run_aside
from shared import inbox
from shared.clock import ManualClock
from shared.crypto import Signer
from shared.db import Database, open_database, reading, transaction
from shared.events import (
    Allocation,
    BalanceLow,
    BalanceRecovered,
    ContractChanged,
    Event,
    EventData,
    PaymentCanceled,
    PaymentPosted,
    PaymentSucceeded,
    SubscriberChanged,
)
from shared.events_billing import ContractBlocked, ContractDue, FeeUpcoming
from shared.events_gateway import ChargeFailed, PaymentMethodRevoked, PaymentMethodSaved
from shared.inbox import Outcome
from shared.outbox import Producer
from shared.outbox_table import outbox
from shared.topology import AUTOPAY, KNOWN, Topology

NOON = datetime(2026, 11, 22, 9, tzinfo=UTC)
NUMBER = "100245"
CARD = MethodName("yookassa:100500", "m-1")
SBP = MethodName("raiffeisen:MA1", "m-2")
ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
HOURS = Hours.read("09:00-21:00")
RULES = Rules(
    limits=Limits(1_000, 1_500_000),
    notice=Notice(timedelta(hours=24), timedelta(minutes=15), HOURS),
    notice_balance=Notice(timedelta(hours=1), timedelta(minutes=15), HOURS),
    not_after=timedelta(minutes=10),
    unclear_after=timedelta(hours=1),
    late_max=timedelta(days=3),
    news_wait=timedelta(hours=1),
    link_life=timedelta(days=30),
    retries=Retries(),
)
BALANCE = Terms(Trigger.BALANCE, 300_000, CARD, threshold_kopecks=10_000)
FEE = Terms(Trigger.FEE, 300_000, CARD, SBP, days_before=3)
DAY = Terms(Trigger.DAY, 300_000, CARD, day_of_month=25, amount_kopecks=65_000)


@pytest.fixture
def clock() -> ManualClock:
    """A clock at noon in Moscow."""
    return ManualClock(NOON)


@pytest.fixture(scope="session")
def rules() -> Rules:
    """What an operator sets usually."""
    return RULES


@pytest.fixture(scope="session")
def prepared_postgres(postgres_server: str) -> Iterator[str]:
    """One PostgreSQL database for all tests: making one takes longer than most of them."""
    name = databases.fresh_name("autopay")
    url = run_aside(databases.create(postgres_server, name))
    run_aside(_create_tables(url))
    yield url
    run_aside(databases.drop(postgres_server, name))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=ON_POSTGRES)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database with tables: the test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/autopay.db"
    url: str = request.getfixturevalue("prepared_postgres")
    return url


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    """Autopay's database, empty."""
    opened = open_database(database_url)
    if not opened.postgres:
        listening.listen(opened.engine.sync_engine, "connect", _carelessly)
        await _create_tables(database_url)
    await empty(opened)
    yield opened
    await opened.close()


@pytest.fixture
async def lite(tmp_path: Path) -> AsyncIterator[Database]:
    """The same on SQLite alone, for what does not depend on the database."""
    url = f"sqlite+aiosqlite:///{tmp_path}/autopay.db"
    opened = open_database(url)
    listening.listen(opened.engine.sync_engine, "connect", _carelessly)
    await _create_tables(url)
    yield opened
    await opened.close()


async def empty(db: Database) -> None:
    """Take every row out."""
    async with db.engine.begin() as connection:
        for schema in SCHEMAS:
            for table in schema.sorted_tables:
                await connection.execute(table.delete())


def _carelessly(connection: Any, _record: object) -> None:
    """No test pulls the plug, and disks are slow."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous=OFF")
    cursor.close()


async def _create_tables(url: str) -> None:
    db = open_database(url)
    async with db.engine.begin() as connection:
        for schema in SCHEMAS:
            await connection.run_sync(schema.create_all)
    await db.close()


class Said:
    """Events as the others say them; what a test does not name has a value that fits."""

    NOON = NOON

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.count = 0

    def contract(self, number: str = NUMBER, **given: Any) -> Event:
        """Say the state of a contract."""
        facts = {"revision": 1, "operator": "Связь", "status": "open", "subscriber_id": "s-1"}
        return self._event(ContractChanged, number, {**facts, **given})

    def subscriber(self, **given: Any) -> Event:
        """Say the state of a subscriber."""
        facts = {"revision": 1, "subscriber_id": "s-1", "name": "Анна", "phone": "+79161234567"}
        return self._event(SubscriberChanged, None, {**facts, **given})

    def saved(self, name: MethodName = CARD, number: str = NUMBER, **given: Any) -> Event:
        """Say that a method is saved."""
        facts = {"revision": 1, "kind": "bank_card", "title": f"Visa •{name.method_ref}"}
        return self._event(PaymentMethodSaved, number, {**facts, **name._asdict(), **given})

    def removed(self, name: MethodName = CARD, number: str = NUMBER, **given: Any) -> Event:
        """Say that a method is removed."""
        facts = {"revision": 2, "reason": "payer"}
        return self._event(PaymentMethodRevoked, number, {**facts, **name._asdict(), **given})

    def low(self, number: str = NUMBER, crossing: int = 1, **given: Any) -> Event:
        """Say that the balance went below autopay's threshold."""
        facts = {
            "watcher": AUTOPAY,
            "crossing": crossing,
            "threshold_kopecks": 10_000,
            "balance_kopecks": 5_000,
            "needed_kopecks": 60_000,
        }
        return self._event(BalanceLow, number, {**facts, **given})

    def recovered(self, number: str = NUMBER, crossing: int = 1, **given: Any) -> Event:
        """Say that the crossing is over."""
        facts = {"watcher": AUTOPAY, "crossing": crossing, "balance_kopecks": 65_000}
        return self._event(BalanceRecovered, number, {**facts, **given})

    def fee(self, number: str = NUMBER, **given: Any) -> Event:
        """Say that fees are near."""
        facts = {
            "watcher": AUTOPAY,
            "fees_on": date(2026, 12, 1),
            "fee_kopecks": 65_000,
            "balance_kopecks": 5_000,
            "available_kopecks": 5_000,
            "needed_kopecks": 60_000,
            "lines": [{"ru": "Абонентская плата", "en": "Fee", "kopecks": 60_000}],
        }
        return self._event(FeeUpcoming, number, {**facts, **given})

    def due(self, number: str = NUMBER, **given: Any) -> Event:
        """Say how a contract stands."""
        facts = {"balance_kopecks": 5_000, "available_kopecks": 5_000, "needed_kopecks": 60_000}
        return self._event(ContractDue, number, {**facts, **given})

    def blocked(self, number: str = NUMBER, **given: Any) -> Event:
        """Say that a contract is blocked."""
        facts = {
            "revision": 1,
            "reason": "below_zero",
            "balance_kopecks": -100,
            "available_kopecks": -100,
        }
        return self._event(ContractBlocked, number, {**facts, **given})

    def posted(self, charge: Charge | None = None, number: str = NUMBER, **given: Any) -> Event:
        """Say that a payment is on the contract."""
        amount = 60_000 if charge is None else charge.amount_kopecks
        facts = {
            "payment_id": "1",
            "provider": CARD.provider,
            "provider_payment_id": "p-1",
            "amount_kopecks": amount,
            "balance_kopecks": 65_000,
            "available_kopecks": 65_000,
            "posted_at": self.clock(),
            "charge_id": None if charge is None else charge.id,
        }
        return self._event(PaymentPosted, number, {**facts, **given})

    def paid(self, charge: Charge, **given: Any) -> Event:
        """Say that a charge has succeeded."""
        amount = given.pop("amount_kopecks", charge.amount_kopecks)
        facts = {
            "provider": charge.method.provider,
            "provider_payment_id": f"p-{charge.id}",
            "amount_kopecks": amount,
            "allocations": (Allocation(contract=charge.contract, amount_kopecks=amount),),
            "paid_at": self.clock(),
            "purpose": "autopay",
            "charge_id": charge.id,
        }
        return self._event(PaymentSucceeded, charge.contract, {**facts, **given})

    def canceled(self, charge: Charge, **given: Any) -> Event:
        """Say that the payment of a charge will not happen."""
        facts = {
            "provider": charge.method.provider,
            "amount_kopecks": charge.amount_kopecks,
            "allocations": (),
            "reason": "general_decline",
            "charge_id": charge.id,
        }
        return self._event(PaymentCanceled, charge.contract, {**facts, **given})

    def failed(self, charge: Charge, reason: str = "insufficient_funds", **given: Any) -> Event:
        """Say that a charge has come to nothing."""
        facts = {
            "charge_id": charge.id,
            "provider": charge.method.provider,
            "method_ref": charge.method.method_ref,
            "amount_kopecks": charge.amount_kopecks,
            "reason": reason,
            "failure": "soft",
        }
        return self._event(ChargeFailed, charge.contract, {**facts, **given})

    def _event(self, model: type[EventData], number: str | None, facts: dict[str, Any]) -> Event:
        facts = {"occurred_at": self.clock(), **facts}
        body = model(contract=number, **facts)
        self.count += 1
        return body.event("test", subject=number or "", revision=self.count, correlation_id="c-77")


@pytest.fixture
def said(clock: ManualClock) -> Said:
    """The voices of core-billing and the gateways."""
    return Said(clock)


@dataclass
class World:
    """Autopay without its runner: each step is taken by the test."""

    db: Database
    clock: ManualClock
    said: Said
    rules: Rules = RULES
    seen: int = 0

    NOON = NOON
    NUMBER = NUMBER
    CARD = CARD
    SBP = SBP
    BALANCE = BALANCE
    FEE = FEE
    DAY = DAY
    RULES = RULES

    @property
    def autopay(self) -> Autopay:
        """Return what the parts are given."""
        topology = Topology(frozenset(KNOWN))
        producer = Producer("autopay", topology, Signer(["sixteen-characters"]))
        return Autopay(self.db, self.clock, producer, self.rules, "https://pay.example.org")

    @property
    def consent(self) -> Consent:
        """Return a proof of consent of this moment."""
        return Consent("2026-11", self.clock(), "203.0.113.7", "page")

    async def hear(self, *events: Event) -> list[Outcome]:
        """Consume events as one batch; return what became of each."""
        listening = consumer.make(self.autopay)
        return [result.outcome for result in await inbox.apply(listening, events, self.clock)]

    async def known(self, number: str = NUMBER, *names: MethodName) -> None:
        """Let a contract and its methods be known."""
        saved = [self.said.saved(name, number) for name in names or (CARD, SBP)]
        await self.hear(self.said.contract(number), self.said.subscriber(), *saved)

    async def create(self, terms: Terms = BALANCE, number: str = NUMBER) -> Mandate:
        """Make a mandate."""
        async with transaction(self.db) as tx:
            at = self.clock()
            return await mandates.create(tx, self.autopay, number, terms, self.consent, at)

    async def begin(self, terms: Terms = BALANCE, number: str = NUMBER) -> Mandate:
        """Let a contract be known, and make its mandate."""
        await self.known(number)
        return await self.create(terms, number)

    async def act(self, name: str, mandate: Mandate, *more: Any, **named: Any) -> Mandate:
        """Do something with a mandate by name: pause, resume, skip, revoke or change."""
        act = getattr(mandates, name)
        first = more if name in ("pause", "change") else ()
        last = () if first else more
        async with transaction(self.db) as tx:
            at = self.clock()
            done: Mandate = await act(
                tx, self.autopay, mandate.id, *first, self.consent, at, *last, **named
            )
            return done

    async def work(self) -> None:
        """Do what is due."""
        for step in (work.look_due, work.announce_due, work.request_due, work.watch_unclear):
            for _ in range(20):
                if not await step(self.autopay):
                    break

    async def expire(self) -> bool:
        """Tell owners of cards that expire."""
        return await expiring.step(self.autopay)

    async def until(self, moment: datetime) -> None:
        """Move to a moment and do what is due then."""
        self.clock.advance(moment - self.clock())
        await self.work()

    async def after(self, length: timedelta) -> None:
        """Let time pass, and do what is due then."""
        await self.until(self.clock() + length)

    async def charge(self, number: str = NUMBER) -> Charge:
        """Return the charge of a contract that is not concluded."""
        async with reading(self.db) as tx:
            found = await charges.upcoming(tx, number)
        assert found is not None
        return found

    async def charges(self, number: str | None = NUMBER, **wanted: Any) -> Sequence[Charge]:
        """Return the charges of a contract, or of all, oldest first."""
        async with reading(self.db) as tx:
            found = await charges.page(tx, limit=1000, contract=number, **wanted)
        return sorted(found, key=lambda each: (each.created_at, each.occasion, each.number))

    async def occasion(self, key: str, number: str = NUMBER) -> Occasion:
        """Return an occasion, open or closed."""
        async with reading(self.db) as tx:
            return (await occasions.named(tx, {(number, key)}))[number, key]

    async def mandate(self, of: Mandate) -> Mandate:
        """Return a mandate as it is now."""
        async with reading(self.db) as tx:
            found = await mandates.find(tx, of.id)
        assert found is not None
        return found

    async def heard(self, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the bodies of what was said since the last time, those of one type if named."""
        newer = select(outbox).where(outbox.c.id > self.seen).order_by(outbox.c.id)
        async with reading(self.db) as tx:
            fresh = (await tx.execute(newer)).all()
        self.seen = max((row.id for row in fresh), default=self.seen)
        bodies = [orjson.loads(row.body) for row in fresh]
        return [
            {"type": body["type"], **body["data"]}
            for body in bodies
            if kind is None or body["type"] == kind
        ]

    async def publish(self) -> None:
        """Have everything that was said leave."""
        async with transaction(self.db) as tx:
            await tx.execute(outbox.update().values(sent_at=self.clock()))

    async def requested(self, terms: Terms = BALANCE) -> Charge:
        """Begin with a mandate whose first charge has been asked for just now."""
        await self.begin(terms)
        await self.hear(self.said.fee() if terms.trigger is Trigger.FEE else self.said.low())
        await self.until((await self.charge()).charge_at)
        charge = await self.charge()
        assert charge.state is charges.State.REQUESTED
        return charge


@pytest.fixture
def world(db: Database, clock: ManualClock, said: Said) -> World:
    """Autopay on either database."""
    return World(db, clock, said)


@pytest.fixture
def light(lite: Database, clock: ManualClock, said: Said) -> World:
    """Autopay on SQLite alone."""
    return World(lite, clock, said)
