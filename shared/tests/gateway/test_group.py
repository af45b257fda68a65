"""Group commit: nobody is told before the commit, nobody fails for another's fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from shared.gateway.group import GROUP_MAX, Group


class Writer:
    """Notes the groups it is given; holds the first one until it is let go."""

    def __init__(self, *bad: int, fault: type[Exception] = ValueError) -> None:
        self.groups: list[list[int]] = []
        self.begun = asyncio.Event()
        self.go = asyncio.Event()
        self._bad = set(bad)
        self._fault = fault

    async def __call__(self, items: Sequence[Any]) -> None:
        self.groups.append(list(items))
        self.begun.set()
        await self.go.wait()
        if self._bad & set(items):
            raise self._fault("refused")


async def put_many(writer: Writer, count: int) -> list[Any]:
    group = Group()
    puts = [asyncio.create_task(group.put(number, writer)) for number in range(count)]
    await writer.begun.wait()
    assert not any(put.done() for put in puts), "nothing is written yet"
    writer.go.set()
    return await asyncio.wait_for(asyncio.gather(*puts, return_exceptions=True), 10)


async def test_what_waits_meanwhile_is_one_group() -> None:
    writer = Writer()
    group = Group()
    first = asyncio.create_task(group.put(0, writer))
    await writer.begun.wait()
    others = [asyncio.create_task(group.put(number, writer)) for number in (1, 2, 3)]
    await asyncio.sleep(0)
    writer.go.set()
    await asyncio.wait_for(asyncio.gather(first, *others), 10)
    assert writer.groups == [[0], [1, 2, 3]]


async def test_a_group_has_a_greatest_size() -> None:
    writer = Writer()
    assert await put_many(writer, 2 * GROUP_MAX + 1) == [None] * (2 * GROUP_MAX + 1)
    assert [len(group) for group in writer.groups] == [GROUP_MAX, GROUP_MAX, 1]


async def test_a_bad_one_fails_alone() -> None:
    writer = Writer(2)
    results = await put_many(writer, 4)
    assert [type(result) for result in results] == [
        type(None),
        type(None),
        ValueError,
        type(None),
    ]
    assert writer.groups == [[0, 1, 2, 3], [0], [1], [2], [3]]


async def test_an_outage_fails_everybody_and_is_not_tried_one_by_one() -> None:
    writer = Writer(2, fault=ConnectionError)
    results = await put_many(writer, 4)
    assert [type(result) for result in results] == [ConnectionError] * 4
    assert len(writer.groups) == 1


async def test_after_a_failure_the_next_one_is_written() -> None:
    group, bad, good = Group(), Writer(1, fault=ConnectionError), Writer()
    bad.go.set()
    good.go.set()
    with pytest.raises(ConnectionError):
        await group.put(1, bad)
    await asyncio.wait_for(group.put(2, good), 10)
    assert good.groups == [[2]]


async def test_a_waiter_that_went_away_harms_nobody() -> None:
    writer, group = Writer(), Group()
    gone, stays = (asyncio.create_task(group.put(number, writer)) for number in (1, 2))
    await writer.begun.wait()
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    writer.go.set()
    await asyncio.wait_for(stays, 10)
