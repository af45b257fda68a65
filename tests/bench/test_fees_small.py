"""The measurement of fees itself, over a few contracts."""

from __future__ import annotations

import asyncio

import pytest

from bench import fees
from bench.fee_town import fill
from servers.fixtures import Databases


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_fees_of_a_few_contracts(postgres_databases: Databases) -> None:
    url = postgres_databases("fees")
    asyncio.run(fill(url, 300))
    cost = fees.charge(url)
    charged = asyncio.run(fees.end(url))
    assert fees.wrong(300, charged, charged, cost) == []
    assert asyncio.run(fees.left(url)) == 0
    assert charged.fees == 450
