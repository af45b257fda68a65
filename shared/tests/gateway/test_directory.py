"""The gateway's copy of the contracts: newest wins, in any order."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from shared.db import reading
from shared.errors import Invalid
from shared.gateway import directory

NO_WAIT = timedelta(0)


@pytest.mark.parametrize("order", list(permutations([1, 2, 3])))
async def test_the_newest_revision_stays(stand: Any, order: tuple[int, ...]) -> None:
    for revision in order:
        await stand.know("100245", "closed" if revision == 3 else "open", revision)
    async with reading(stand.gateway.db) as tx:
        known = await directory.entries(tx, ["100245", "7"])
    assert known == {"100245": ("closed", "op")}


async def test_open_contracts_pass(stand: Any) -> None:
    await stand.know("1")
    await stand.know("2", "blocked")
    fields = {"1": "contract", "2": "contract"}
    await directory.require_open(stand.gateway.db, fields, NO_WAIT)


async def test_each_wrong_contract_is_named(stand: Any) -> None:
    await stand.know("1")
    await stand.know("2", "closed")
    fields = {"1": "a", "2": "b", "3": "c"}
    with pytest.raises(Invalid) as refused:
        await directory.require_open(stand.gateway.db, fields, NO_WAIT)
    wrong = {error.field: error.text.en for error in refused.value.fields}
    assert "closed" in wrong["b"]
    assert "no such contract" in wrong["c"]
    assert set(wrong) == {"b", "c"}


async def test_a_contract_made_a_moment_ago_is_waited_for(stand: Any) -> None:
    asking = asyncio.create_task(
        directory.require_open(stand.gateway.db, {"1": "contract"}, timedelta(seconds=5))
    )
    await asyncio.sleep(0)
    await stand.know("1")
    await asking
