"""Refunds asked for here: what they take, what they refuse, what they say."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_billing import corrections, holdings, refunds
from shared import log
from shared.db import transaction
from shared.errors import Conflict, Invalid, NotFound

PROVIDER = "yookassa:100500"
P1 = (f"payment:{PROVIDER}", "p1")
CLEARING, RESERVE = f"clearing:{PROVIDER}", f"refund:{PROVIDER}"
SUSPENSE = f"suspense:{PROVIDER}"
HOLDERS: st.SearchStrategy[list[str | None]] = st.lists(
    st.sampled_from(["contract:A", "contract:B", "contract:C", None]), min_size=1, unique=True
)
KOPECKS = st.integers(0, 10**14)


async def ask(books: Any, kopecks: int, reason: str = "", of: tuple[str, str] = P1) -> str:
    """Ask for a refund of a payment."""
    async with transaction(books.db) as tx:
        return await refunds.request_refund(
            tx, books.core.rules, of, kopecks, reason, books.clock()
        )


async def correct(books: Any, *shares: tuple[str | None, int], of: tuple[str, str] = P1) -> None:
    """Correct a payment's first revision."""
    async with transaction(books.db) as tx:
        await corrections.correct(tx, of, 1, shares, books.clock())


@given(
    HOLDERS.flatmap(lambda held: st.tuples(st.just(held), st.lists(KOPECKS, min_size=4))), KOPECKS
)
def test_a_split_is_exact_fair_and_the_same_again(
    drawn: tuple[Sequence[str | None], Sequence[int]], kopecks: int
) -> None:
    weights: Mapping[str | None, int] = dict(zip(*drawn, strict=False))
    total = sum(weights.values())
    if total == 0:
        with pytest.raises(ValueError, match="nobody"):
            holdings.pro_rata(kopecks, weights)
        return
    split = holdings.pro_rata(kopecks, weights)
    assert sum(split.values()) == kopecks
    assert split == holdings.pro_rata(kopecks, weights)
    for holder, weight in weights.items():
        share = split.get(holder, 0)
        assert abs(share * total - kopecks * weight) < total
        assert kopecks > total or share <= weight
    assert all(split.values())


def test_the_odd_kopeck_goes_to_the_largest_remainder_then_to_the_first() -> None:
    assert holdings.pro_rata(100, {"a": 1, "b": 1, "c": 1}) == {"a": 34, "b": 33, "c": 33}
    assert holdings.pro_rata(10, {"a": 33, "b": 33, "c": 34}) == {"a": 3, "b": 3, "c": 4}
    assert holdings.pro_rata(1, {"a": 1, "b": 2}) == {"b": 1}


async def test_asking_takes_it_at_once_and_says_so(books: Any) -> None:
    await books.open(books.asked("A", "50.00"), "B")
    await books.arrive(books.paid("p1", 10_000, ("A", 7_500), ("B", 2_500)))
    with log.bind_correlation("asked-1"):
        refund_id = await ask(books, 9_001, "Ошибочное пополнение")
    assert (await books.lines())[-2:] == [
        (refund_id, 1, 1, "contract:A", RESERVE, 6_751, 5_749, None),
        (refund_id, 1, 2, "contract:B", RESERVE, 2_250, 250, None),
    ]
    [said] = await books.said("refund.requested")
    assert (said["subject"], said["correlationid"]) == (refund_id, "asked-1")
    del said["data"]["occurred_at"]
    assert said["data"] == {
        "contract": None,
        "refund_id": refund_id,
        "provider": PROVIDER,
        "provider_payment_id": "p1",
        "amount_kopecks": 9_001,
        "allocations": [
            {"contract": "A", "amount_kopecks": 6_751},
            {"contract": "B", "amount_kopecks": 2_250},
        ],
        "reason": "Ошибочное пополнение",
    }
    low = (await books.said("balance.low"))[-1]
    assert (low["subject"], low["correlationid"]) == ("A", "asked-1")
    assert (await books.proof()).faults == []


async def test_one_contract_is_named_and_suspense_is_not(books: Any) -> None:
    await books.open("A")
    await books.arrive(books.paid("p1", 100, ("A", 60), ("nobody", 40)))
    await books.arrive(books.paid("p2", 100, ("A", 100)))
    await ask(books, 10, of=(P1[0], "p2"))
    await ask(books, 10)
    one, mixed = [event["data"] for event in await books.said("refund.requested")]
    assert (one["contract"], mixed["contract"]) == ("A", None)
    assert mixed["allocations"] == [{"contract": "A", "amount_kopecks": 6}]
    assert (await books.lines())[-1][3:6] == (SUSPENSE, RESERVE, 4)


@pytest.mark.parametrize(
    ("error", "match", "kopecks", "of", "reason"),
    [
        (NotFound, "no payment", 1, (P1[0], "p2"), ""),
        (NotFound, "no payment", 1, ("payment:other", "p1"), ""),
        (Invalid, "Wrong value", 1, ("opening", "A"), ""),
        (Invalid, "Wrong value", 1, ("refund:x", "p1"), ""),
        (Invalid, "amount", 0, P1, ""),
        (Invalid, "amount", -1, P1, ""),
        (Invalid, "amount", 101, P1, ""),
        (Invalid, "reason", 1, P1, "x" * 251),
    ],
)
async def test_what_is_refused_moves_nothing(
    books: Any, error: type[Exception], match: str, kopecks: int, of: Any, reason: str
) -> None:
    await books.open(books.asked("A", "1.00"))
    await books.arrive(books.paid("p1", 100, ("A", 100)))
    lines = await books.lines()
    with pytest.raises(error, match=match):
        await ask(books, kopecks, reason, of)
    assert await books.lines() == lines
    assert await books.said("refund.requested") == []


async def test_several_up_to_the_rest_and_no_further(books: Any) -> None:
    await books.open("A", "B", "C")
    await books.arrive(books.paid("p1", 100, ("A", 33), ("B", 33), ("C", 34)))
    for kopecks in (1, 10, 50):
        await ask(books, kopecks)
    with pytest.raises(Invalid) as refused:
        await ask(books, 40)
    assert "0.39" in refused.value.fields[0].text.in_("en")
    await ask(books, 39, "x" * 250)
    assert await books.balances() == {"A": 0, "B": 0, "C": 0}
    assert (await books.proof()).faults == []


async def test_eight_at_once_take_no_more_than_there_is(books: Any) -> None:
    await books.open("A", "B")
    await books.arrive(books.paid("p1", 100, ("A", 50), ("B", 50)))
    results = await asyncio.gather(*(ask(books, 30) for _ in range(8)), return_exceptions=True)
    refused = [r for r in results if isinstance(r, Exception)]
    assert [type(r) for r in refused] == [Invalid] * 5
    assert await books.balances() == {"A": 5, "B": 5}
    assert (await books.proof()).faults == []


async def test_a_refunded_payment_stays_where_it_is(books: Any) -> None:
    await books.open("A", "B")
    await books.arrive(books.paid("p1", 100, ("A", 100)))
    refund_id = await ask(books, 30)
    lines = await books.lines()
    with pytest.raises(Conflict, match=r"0\.30"):
        await correct(books, ("B", 100))
    with pytest.raises(Conflict, match="not corrected"):
        await correct(books, ("B", -30), of=(f"refund-request:{PROVIDER}", refund_id))
    assert await books.lines() == lines


async def test_a_refund_and_a_correction_at_once(books: Any) -> None:
    """Whoever comes first: what is taken is taken from who holds the money then."""
    await books.open("A", "B")
    for n in range(4):
        await books.arrive(books.paid(f"q{n}", 100, ("A", 100)))
        of = (P1[0], f"q{n}")
        done = await asyncio.gather(
            ask(books, 100, of=of), correct(books, ("B", 100), of=of), return_exceptions=True
        )
        assert not isinstance(done[0], Exception)
        assert done[1] is None or isinstance(done[1], Conflict)
        assert await books.balances() == {"A": 0, "B": 0}
    assert (await books.proof()).faults == []


async def test_a_payment_has_no_share_below_zero(books: Any) -> None:
    await books.open("A", "B")
    await books.arrive(books.paid("p1", 100, ("A", 100)))
    with pytest.raises(Invalid, match="amount"):
        await correct(books, ("A", 150), ("B", -50))
