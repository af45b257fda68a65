"""The books of an operator, empty, on both databases."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
from sqlalchemy import select

from core_billing import contracts, ledger, openings, payments
from core_billing.accounts import account, balance
from core_billing.contracts import Contract
from core_billing.ledger import Payment, Receipt
from core_billing.migrations import SCHEMAS
from core_billing.openings import Opened, Wanted
from core_billing.payments import Arrival
from core_billing.postings import payment, posting
from core_billing.registration import NewContract
from core_billing.rules import Core, Rules
from core_billing.verify import Report, verify
from servers import databases
from servers.processes import run_aside
from shared import migrations
from shared.clock import ManualClock
from shared.crypto import Signer, Vault, new_encryption_key
from shared.db import Database, open_database, reading, transaction
from shared.outbox import Producer, outbox
from shared.topology import SERVICES, Topology

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PAID_AT = datetime(2026, 11, 22, 11, 59, tzinfo=UTC)
PROVIDER = "yookassa:100500"
ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)


def asked(number: str, balance: str = "0.00", **more: Any) -> NewContract:
    """Return a contract as the API would ask for it."""
    subscriber = {"name": "Анна Соколова", "phone": "+79161234567", "email": "anna@example.ru"}
    body = {"number": number, "balance": balance, "subscriber": subscriber, **more}
    return NewContract.model_validate(body)


def paid(external_id: str, kopecks: int, *shares: tuple[str, int], **more: Any) -> Payment:
    """Return a payment that a provider has confirmed."""
    return Payment(
        source=f"payment:{more.pop('provider', PROVIDER)}",
        external_id=external_id,
        amount_kopecks=kopecks,
        allocations=shares,
        paid_at=more.pop("paid_at", PAID_AT),
        **more,
    )


@dataclass
class Books:
    """A database of core billing, and short ways to do and to see what tests need."""

    core: Core
    clock: ManualClock
    asked: ClassVar[Callable[..., NewContract]] = staticmethod(asked)
    paid: ClassVar[Callable[..., Payment]] = staticmethod(paid)

    @property
    def db(self) -> Database:
        """The database."""
        return self.core.db

    def under(self, **changed: Any) -> "Books":
        """Return the same books under other rules."""
        return Books(replace(self.core, rules=replace(self.core.rules, **changed)), self.clock)

    async def open(self, *given: str | NewContract) -> list[Opened]:
        """Open contracts."""
        wanted = [
            Wanted(asked(one) if isinstance(one, str) else one, None, "opening") for one in given
        ]
        core = self.core
        async with transaction(self.db) as tx:
            return await openings.open_all(tx, core.vault, core.rules, wanted, self.clock())

    async def post(self, *given: Payment) -> list[Receipt]:
        """Give payments to the ledger alone, as one batch."""
        async with transaction(self.db) as tx:
            return await ledger.post(tx, list(given), self.clock())

    async def arrive(self, *given: Payment) -> list[Receipt | None]:
        """Let payments through the one door, as one batch."""
        arrivals = [Arrival(one, f"correlation-{one.external_id}") for one in given]
        async with transaction(self.db) as tx:
            return await payments.apply_payments(tx, self.core.rules, arrivals, self.clock())

    async def contracts(self) -> list[Contract]:
        """Return all contracts."""
        async with reading(self.db) as tx:
            return await contracts.page(tx, 0, 1000)

    async def balances(self) -> dict[str, int]:
        """Return the kept balances by the contract's number."""
        columns = select(account.c.name, balance.c.kopecks)
        async with reading(self.db) as tx:
            rows = await tx.execute(columns.join(balance, balance.c.account_id == account.c.id))
            return {row.name.removeprefix("contract:"): row.kopecks for row in rows}

    async def lines(self) -> list[tuple[Any, ...]]:
        """Return every posting: external id, revision, line, debit, credit, kopecks, balances."""
        debit, credit = account.alias(), account.alias()
        statement = (
            select(
                payment.c.external_id,
                payment.c.revision,
                posting.c.line,
                debit.c.name,
                credit.c.name,
                posting.c.amount_kopecks,
                posting.c.debit_balance,
                posting.c.credit_balance,
            )
            .join(posting, posting.c.payment_id == payment.c.id)
            .join(debit, debit.c.id == posting.c.debit_id)
            .join(credit, credit.c.id == posting.c.credit_id)
            .order_by(payment.c.id, posting.c.line)
        )
        async with reading(self.db) as tx:
            return [tuple(row) for row in await tx.execute(statement)]

    async def said(self, *types: str) -> list[dict[str, Any]]:
        """Return the events in the outbox, with their data, in the order they were said."""
        async with reading(self.db) as tx:
            rows = await tx.execute(select(outbox.c.body).order_by(outbox.c.id))
            events = [orjson.loads(body) for body in rows.scalars()]
        return [event for event in events if not types or event["type"] in types]

    async def proof(self) -> Report:
        """Recompute the books."""
        return await verify(self.db, lambda *_: None)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("core") / "template.db"
    run_aside(migrations.migrate(f"sqlite+aiosqlite:///{path}", "core_billing"))
    return path


@pytest.fixture(scope="session")
def postgres_database(postgres_server: str) -> Iterator[str]:
    """A migrated PostgreSQL database for all tests: making one for each takes seconds."""
    name = databases.fresh_name("core")
    url = run_aside(databases.create(postgres_server, name, durable=False))
    run_aside(migrations.migrate(url, "core_billing"))
    yield url
    run_aside(databases.drop(postgres_server, name))


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=ON_POSTGRES)])
async def db(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database as the migrations make it, with everything they forbid."""
    if request.param == "sqlite":
        path = shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / "core.db")
        made = open_database(f"sqlite+aiosqlite:///{path}")
    else:
        await _empty(url := request.getfixturevalue("postgres_database"))
        made = open_database(url)
    yield made
    await made.close()


async def _empty(url: str) -> None:
    names = [table.name for schema in SCHEMAS for table in schema.sorted_tables]
    await databases.empty(url, names, written_once=("payment", "posting"))


@pytest.fixture
def books(db: Database) -> Books:
    """Empty books; the threshold is 100.00 with a margin of ten percent."""
    clock = ManualClock(AT)
    producer = Producer("core-billing", Topology(frozenset(SERVICES)), Signer(["a key of tests"]))
    rules = Rules(producer, low_balance_kopecks=10_000, margin_percent=10, cutover_at=None)
    return Books(Core(db, rules, Vault([new_encryption_key()]), clock), clock)
