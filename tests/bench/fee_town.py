"""Contracts with services that wait for their fees: what `make bench-fees` begins with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import text

from core_billing import accounts, ledger
from core_billing.contracts import contract
from core_billing.drafts import Payment
from core_billing.services import service, service_tariff
from core_billing.tariffs import tariff, tariff_price
from core_billing.watch_rows import add_default
from shared import migrations
from shared.db import Database, Tx, open_database, transaction
from shared.rows import insert_new

DAY: Final = date(2026, 11, 1)
NOON: Final = datetime(2026, 11, 1, 9, tzinfo=UTC)
PACKAGE: Final = "core_billing"
BATCH: Final = 2000
PRICES: Final = {1: ("Internet 100", "internet", 65_000), 2: ("TV", "tv", 19_900)}
PAID_KOPECKS: Final = 70_000


def services_of(number: int) -> int:
    """Return how many services a contract has: every second one has television, too."""
    return 1 + number % 2


async def fill(url: str, contracts: int) -> None:
    """Put contracts, their services and a payment for two of three into an empty database."""
    await migrations.migrate(url, PACKAGE)
    db = open_database(url)
    async with transaction(db) as tx:
        await _fill_tariffs(tx)
    for start in range(0, contracts, BATCH):
        numbers = range(start, min(start + BATCH, contracts))
        async with transaction(db) as tx:
            await _fill_contracts(tx, numbers)
    await _settle(db)
    await db.close()


async def _fill_tariffs(tx: Tx) -> None:
    said = {"changed_by": "bench", "changed_at": NOON, "revision": 1}
    flags = {"charge_while_blocked": False, "blocks": True, "closed": False}
    for key, (name, label, kopecks) in PRICES.items():
        row = {"id": key, "name": name, "label": label, "charging": "monthly", **flags, **said}
        await insert_new(tx, tariff, [row], "id")
        price = {"tariff_id": key, "valid_from": DAY, "month_kopecks": kopecks}
        await insert_new(tx, tariff_price, [{**price, "set_by": "b", "set_at": NOON}], "tariff_id")


async def _fill_contracts(tx: Tx, numbers: Sequence[int]) -> None:
    names = {n: f"{1_000_000 + n}" for n in numbers}
    ids = await accounts.open_contracts(tx, dict.fromkeys(names.values(), 0))
    rows = [
        {
            "id": ids[name],
            "number": name,
            "subscriber_id": name,
            "operator": "default",
            "revision": 1,
            "created_at": NOON,
        }
        for name in names.values()
    ]
    await insert_new(tx, contract, rows, "id")
    await add_default(tx, list(ids.values()))
    wanted = [(ids[names[n]], key) for n in numbers for key in range(1, services_of(n) + 1)]
    made = await insert_new(tx, service, [_service(owner, key) for owner, key in wanted], "id")
    turns = [
        {"service_id": made_id, "since": DAY, "tariff_id": key}
        for made_id, (_, key) in zip(made, wanted, strict=True)
    ]
    await insert_new(tx, service_tariff, turns, "service_id")
    paid = [_payment(n, names[n]) for n in numbers if n % 3]
    await ledger.post(tx, paid, NOON)


def _service(contract_id: int, key: int) -> dict[str, Any]:
    return {
        "contract_id": contract_id,
        "label": PRICES[key][1],
        "charging": "monthly",
        "starts_on": DAY,
        "charged_through": DAY - timedelta(days=1),
        "due_on": DAY,
        "revision": 1,
        "changed_by": "bench",
        "changed_at": NOON,
    }


def _payment(number: int, name: str) -> Payment:
    return Payment(
        source="payment:yookassa:100500",
        external_id=f"bench-{number}",
        amount_kopecks=PAID_KOPECKS,
        allocations=((name, PAID_KOPECKS),),
        paid_at=NOON,
    )


async def _settle(db: Database) -> None:
    """Let the planner know what there is, as it does in a database that has grown."""
    if db.postgres:
        async with db.engine.connect() as plain:
            settled = await plain.execution_options(isolation_level="AUTOCOMMIT")
            await settled.execute(text("VACUUM ANALYZE"))
