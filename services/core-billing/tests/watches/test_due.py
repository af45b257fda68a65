"""How contracts stand is told to those who would pay for them, at most once a minute."""

from datetime import date, timedelta
from typing import Any

import pytest

from core_billing import republish

MINUTE = timedelta(minutes=1)


async def due(told: Any) -> list[tuple[str, int, int]]:
    """Return what was said: contract, balance, needed."""
    return [
        (one["contract"], one["balance_kopecks"], one["needed_kopecks"])
        for one in await told.said("contract.due")
    ]


async def test_said_when_somebody_watches_and_when_it_changes(told: Any) -> None:
    await told.books.open("A", "B", "unwatched")
    for number in ("A", "B", "unwatched"):
        await told.sell(number, 65_000)
    await told.due()
    assert await due(told) == []
    await told.hear(
        told.wants("A", 1, threshold_kopecks=10_000), told.wants("B", 1, kind="fee", days=3)
    )
    await told.due(limit=1)
    assert await due(told) == [("A", -65_000, 130_000), ("B", -65_000, 130_000)]
    [one, _] = await told.said("contract.due")
    assert [(line["ru"], line["kopecks"]) for line in one["lines"]] == [
        ("Долг", 65_000),
        ("tariff A, 01.12.2026–31.12.2026", 65_000),
    ]
    assert (one["available_kopecks"], one["blocks_on"]) == (-65_000, "2026-11-22")
    await told.pay("A", 65_000)
    await told.due()
    assert len(await due(told)) == 2
    told.books.clock.advance(MINUTE)
    await told.due()
    assert (await due(told))[2:] == [("A", 0, 65_000)]
    told.books.clock.advance(MINUTE)
    await told.due()
    assert len(await due(told)) == 3


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_said_of_what_changes_without_money(told: Any) -> None:
    await told.books.open(told.books.asked("A", "1300.00"))
    await told.sell("A", 65_000)
    await told.hear(told.wants("A", 1, threshold_kopecks=10_000))
    await told.due()
    told.until(date(2026, 12, 1), 0)
    await told.due()
    # Nothing was charged yet, but January is to be paid for by now.
    assert await due(told) == [("A", 65_000, 0), ("A", 65_000, 65_000)]
    told.books.clock.advance(timedelta(hours=2))
    await told.due()
    assert len(await due(told)) == 2


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_said_anew_to_whoever_asks_anew(told: Any) -> None:
    await told.books.open("A")
    await told.hear(told.wants("A", 1, threshold_kopecks=10_000))
    await told.due()
    told.books.clock.advance(MINUTE)
    await told.hear(told.clears("A", 2, "balance"))
    await told.pay("A", 5)
    await told.due()
    assert await due(told) == [("A", 0, 0)]
    await told.hear(told.wants("A", 3, threshold_kopecks=10_000))
    await told.due()
    assert (await due(told))[1:] == [("A", 5, 0)]
    told.books.clock.advance(MINUTE)
    await republish.republish(told.books.core, "run", lambda *_: None)
    await told.due()
    assert (await due(told))[2:] == [("A", 5, 0)]
    ids = [event["id"] for event in await told.books.said("contract.due")]
    assert len(set(ids)) == len(ids)
