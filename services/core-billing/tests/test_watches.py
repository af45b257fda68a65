"""Watches: said once for each crossing, armed again only above threshold and margin."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_billing import watch_rows, watches
from core_billing.watch_rows import Setting
from core_billing.watch_rules import State, judged
from shared.db import transaction

ARMED = State(armed=True, crossing=0)


@pytest.mark.parametrize(
    ("before", "balance", "after"),
    [
        (State(True, 4), 10_000, State(True, 4)),
        (State(True, 4), 9_999, State(False, 5)),
        (State(False, 5), 9_998, State(False, 5)),
        (State(False, 5), 10_999, State(False, 5)),
        (State(False, 5), 11_000, State(True, 5)),
        (State(True, 5), 11_000, State(True, 5)),
    ],
)
def test_thresholds_to_the_kopeck(before: State, balance: int, after: State) -> None:
    assert judged(before, balance, 10_000, 10) == after


@pytest.mark.parametrize(
    ("threshold", "recovers_at"), [(0, 0), (-50_000, -45_000), (9, 9), (10, 11), (10_000, 11_000)]
)
def test_the_margin_lies_above_every_threshold(threshold: int, recovers_at: int) -> None:
    said = State(armed=False, crossing=1)
    assert judged(said, recovers_at - 1, threshold, 10) == said
    assert judged(said, recovers_at, threshold, 10) == State(armed=True, crossing=1)


@given(
    balances=st.lists(st.integers(-30_000, 30_000)),
    threshold=st.integers(-20_000, 20_000),
    margin=st.integers(0, 200),
)
def test_low_and_recovered_take_turns(balances: list[int], threshold: int, margin: int) -> None:
    state, said = ARMED, []
    for balance in balances:
        after = judged(state, balance, threshold, margin)
        if after != state:
            said.append((after.armed, after.crossing, balance))
        assert judged(after, balance, threshold, margin) in (after, State(True, after.crossing))
        state = after
    assert [armed for armed, _, _ in said] == [bool(n % 2) for n in range(len(said))]
    assert [crossing for _, crossing, _ in said] == [1 + n // 2 for n in range(len(said))]
    assert all((balance < threshold) != armed for armed, _, balance in said)


async def told(books: Any) -> list[tuple[Any, ...]]:
    """Return what was said of balances: type, contract, watcher, crossing, balance."""
    return [
        (
            event["type"].removeprefix("balance."),
            event["subject"],
            event["data"]["watcher"],
            event["data"]["crossing"],
            event["data"]["balance_kopecks"],
        )
        for event in await books.said("balance.low", "balance.recovered")
    ]


async def ask(books: Any, number: str, revision: int, threshold: int | None, **more: str) -> None:
    """Let a watcher ask for a threshold."""
    [found] = [c for c in await books.contracts() if c.number == number]
    watcher, kind = more.get("watcher", "notifier"), more.get("kind", "balance")
    async with transaction(books.db) as tx:
        await watch_rows.put(tx, [Setting(found.id, watcher, kind, revision, threshold)])
        rules, at = books.core.rules, books.clock()
        await watches.judge(tx, rules, {found.id: "asked"}, at)


async def test_a_new_contract_is_judged_at_once(books: Any) -> None:
    await books.open(
        books.asked("rich", "845.50"),
        books.asked("edge", "100.00"),
        books.asked("poor", "99.99"),
        books.asked("owing", "-1200.00"),
        books.asked("calm", "-50.00", low_balance="-100.00"),
        books.asked("wary", "845.50", low_balance="1000.00"),
    )
    assert sorted(await told(books)) == [
        ("low", "owing", "notifier", 1, -120_000),
        ("low", "poor", "notifier", 1, 9_999),
        ("low", "wary", "notifier", 1, 84_550),
    ]
    [owing] = [e for e in await books.said("balance.low") if e["subject"] == "owing"]
    assert owing["data"]["threshold_kopecks"] == 10_000
    assert owing["data"]["needed_kopecks"] == 130_000
    assert owing["data"]["blocks_on"] == "2026-11-22"
    assert owing["correlationid"] == "opening"


async def test_a_crossing_is_said_once(books: Any) -> None:
    await books.open(books.asked("A", "-1200.00"))
    for n, kopecks in enumerate((65_000, 55_000, 10_000, 999)):
        await books.arrive(books.paid(f"p{n}", kopecks, ("A", kopecks)))
    assert len(await told(books)) == 1
    await books.arrive(books.paid("enough", 1, ("A", 1)))
    assert (await told(books))[1:] == [("recovered", "A", "notifier", 1, 11_000)]
    await books.arrive(books.paid("more", 1, ("A", 1)))
    assert len(await told(books)) == 2
    [_, recovered] = await books.said("balance.low", "balance.recovered")
    assert recovered["correlationid"] == "correlation-enough"


async def test_a_batch_is_judged_once_at_its_end(books: Any) -> None:
    await books.open(books.asked("A", "-1200.00"), books.asked("B", "-1200.00"))
    shares = [("A", 60_000), ("B", 10), ("A", 60_000), ("A", 20_000)]
    await books.arrive(*(books.paid(f"p{n}", k, (a, k)) for n, (a, k) in enumerate(shares)))
    assert (await told(books))[2:] == [("recovered", "A", "notifier", 1, 20_000)]


async def test_a_changed_threshold_does_not_arm(books: Any) -> None:
    await books.open(books.asked("A", "50.00"))
    await ask(books, "A", 1, 20_000)
    assert len(await told(books)) == 1
    await ask(books, "A", 2, 4_600)
    assert len(await told(books)) == 1
    await ask(books, "A", 3, 4_500)
    assert (await told(books))[1:] == [("recovered", "A", "notifier", 1, 5_000)]
    await ask(books, "A", 4, 5_001)
    assert (await told(books))[2:] == [("low", "A", "notifier", 2, 5_000)]


async def test_only_a_greater_revision_counts(books: Any) -> None:
    await books.open(books.asked("A", "845.50"))
    await ask(books, "A", 5, 10_000)
    await ask(books, "A", 5, 90_000)
    await ask(books, "A", 4, 90_000)
    assert await told(books) == []
    await ask(books, "A", 6, 90_000)
    assert await told(books) == [("low", "A", "notifier", 1, 84_550)]


async def test_a_cleared_watch_is_silent_until_it_is_set_again(books: Any) -> None:
    await books.open(books.asked("A", "50.00"))
    await ask(books, "A", 1, None)
    await books.arrive(books.paid("p1", 50_000, ("A", 50_000)))
    await ask(books, "A", 1, 1_000_000)
    assert len(await told(books)) == 1
    await ask(books, "A", 2, 1_000_000)
    assert (await told(books))[1:] == [("low", "A", "notifier", 2, 55_000)]


async def test_watchers_are_apart(books: Any) -> None:
    await books.open(books.asked("A", "50.00"))
    await ask(books, "A", 1, 6_000, watcher="autopay")
    await ask(books, "A", 1, 90_000, watcher="autopay", kind="fee")
    await books.arrive(books.paid("p1", 1_600, ("A", 1_600)))
    assert await told(books) == [
        ("low", "A", "notifier", 1, 5_000),
        ("low", "A", "autopay", 1, 5_000),
        ("recovered", "A", "autopay", 1, 6_600),
    ]


async def test_the_operators_threshold_is_not_copied(books: Any) -> None:
    await books.open(books.asked("A", "150.00"))
    stricter = books.under(low_balance_kopecks=20_000)
    await stricter.arrive(books.paid("p1", 100, ("A", 100)))
    assert await told(books) == [("low", "A", "notifier", 1, 15_100)]
    wide = books.under(margin_percent=100)
    await wide.arrive(books.paid("p2", 4_899, ("A", 4_899)))
    assert len(await told(books)) == 1
    await wide.arrive(books.paid("p3", 1, ("A", 1)))
    assert (await told(books))[1:] == [("recovered", "A", "notifier", 1, 20_000)]
