"""A run that is killed goes on where it stopped: nothing is charged twice or missed."""

import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest

from core_billing import accounts
from core_billing.contracts import contract
from core_billing.services import service, service_tariff
from shared.db import transaction
from shared.rows import insert_new

SERVICES = 300
DAYS_BEFORE = timedelta(days=1)
KILLED_AFTER = (3, 6)
"""Batches after which a run is killed."""
RUN = """
import asyncio, sys
from datetime import UTC, date, datetime
from core_billing import fee_jobs
from core_billing.fee_due import BEGINNING
from core_billing.rules import Core, Rules
from shared.crypto import Signer, Vault, new_encryption_key
from shared.db import open_database
from shared.outbox import Producer
from shared.topology import SERVICES, Topology

async def main(url):
    producer = Producer("core-billing", Topology(frozenset(SERVICES)), Signer(["a key of tests"]))
    clock = lambda: datetime(2026, 11, 22, 12, tzinfo=UTC)
    rules = Rules(producer, 10_000, 10, None)
    core = Core(open_database(url), rules, Vault([new_encryption_key()]), clock)
    place = BEGINNING
    while place is not None:
        place = (await fee_jobs.charge_batch(core, date(2026, 11, 22), place, 10)).place
        print("batch", flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def fill(books: Any, fees: Any) -> None:
    """Open contracts with a service each, in few statements."""
    tariff = await fees.tariff("Net", 30_000)
    first = fees.today - DAYS_BEFORE
    said = {"revision": 1, "changed_by": "t", "changed_at": books.clock()}
    async with transaction(books.db) as tx:
        ids = await accounts.open_contracts(tx, {f"{n}": 0 for n in range(SERVICES)})
        owners = [
            {
                "id": owner,
                "number": number,
                "subscriber_id": number,
                "operator": "default",
                "revision": 1,
                "created_at": books.clock(),
            }
            for number, owner in ids.items()
        ]
        await insert_new(tx, contract, owners, "id")
        rows = [
            {
                "contract_id": owner,
                "label": "internet",
                "charging": "daily",
                "starts_on": first,
                "charged_through": first - timedelta(days=1),
                "due_on": first,
                **said,
            }
            for owner in ids.values()
        ]
        made = await insert_new(tx, service, rows, "id")
        turns = [{"service_id": one, "since": first, "tariff_id": tariff} for one in made]
        await insert_new(tx, service_tariff, turns, "service_id")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_killed_runs_and_one_to_the_end_charge_once(books: Any, fees: Any) -> None:
    await fill(books, fees)
    url = books.db.engine.url.render_as_string(hide_password=False)
    for batches in KILLED_AFTER:
        child = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs here meanwhile
            [sys.executable, "-c", RUN, url], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        with child.stdout as said:
            for _ in range(batches):
                assert said.readline() == b"batch\n"
        child.kill()
        assert child.wait() < 0
    before = await fees.taken()
    assert 10 * sum(KILLED_AFTER) <= len(before) < 2 * SERVICES
    await fees.charge()
    taken = await fees.taken()
    assert len(taken) == len(dict(taken)) == 2 * SERVICES
    # The 21st and the 22nd of a month of thirty days at 300.00.
    assert set((await books.balances()).values()) == {-2_000}
    assert len(await books.said("fee.charged")) == 2 * SERVICES
    assert (await books.proof()).faults == []
