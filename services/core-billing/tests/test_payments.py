"""The one door: what is told about a payment, what is told again, what is only listed."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from core_billing import uncredited
from core_billing.accounts import balance
from core_billing.ledger import Outcome
from shared.db import reading, transaction
from shared.events import event_id
from shared.metrics import ALARMS
from shared.outbox import outbox

PROVIDER = "yookassa:100500"


def alarms(kind: str) -> float:
    """Return how often an alarm has been raised in this process."""
    return ALARMS.labels(kind)._value.get()


async def pending(books: Any) -> list[str]:
    """Return the types of the events that wait to be sent."""
    unsent = select(outbox.c.type).where(outbox.c.sent_at.is_(None)).order_by(outbox.c.id)
    async with reading(books.db) as tx:
        return list((await tx.execute(unsent)).scalars())


async def send_all(books: Any) -> None:
    """Let the relay have sent everything."""
    async with transaction(books.db) as tx:
        await tx.execute(update(outbox).values(sent_at=books.clock()))


async def test_each_contract_hears_of_its_own_part(books: Any) -> None:
    await books.open(books.asked("A", "1000.00", credit_limit="500.00"), books.asked("B", "500.00"))
    paid_at = datetime(2026, 11, 22, 9, 30).astimezone()
    given = books.paid("p1", 100, ("A", 60), ("B", 30), ("A", 10), paid_at=paid_at)
    [receipt] = await books.arrive(given)
    first, second = await books.said("payment.posted")
    assert first["data"] == {
        "contract": "A",
        "occurred_at": first["data"]["occurred_at"],
        "payment_id": str(receipt.payment_id),
        "provider": PROVIDER,
        "provider_payment_id": "p1",
        "amount_kopecks": 70,
        "balance_kopecks": 100_070,
        "available_kopecks": 150_070,
        "posted_at": "2026-11-22T12:00:00Z",
        "charge_id": None,
    }
    assert datetime.fromisoformat(first["data"]["occurred_at"]) == paid_at
    assert (first["subject"], first["correlationid"]) == ("A", "correlation-p1")
    known = event_id("core-billing", "payment.posted", "A", f"{PROVIDER}:p1")
    assert first["id"] == str(known)
    assert (second["subject"], second["data"]["amount_kopecks"]) == ("B", 30)
    assert second["data"]["available_kopecks"] == second["data"]["balance_kopecks"] == 50_030


async def test_a_charge_is_named_and_moments_follow_the_balances(books: Any) -> None:
    await books.open("A", "B")
    await books.arrive(
        books.paid("p1", 100, ("A", 100), charge_id="charge-1"),
        books.paid("p2", 5, ("B", 5)),
        books.paid("p3", 50, ("A", 50)),
    )
    said = [event["data"] for event in await books.said("payment.posted")]
    assert [one["charge_id"] for one in said] == ["charge-1", None, None]
    assert [one["posted_at"][17:] for one in said] == ["59.999999Z", "00Z", "00Z"]
    async with transaction(books.db) as tx:
        await tx.execute(delete(outbox))
    books.clock.advance(timedelta(days=1))
    await books.arrive(books.paid("p1", 100, ("A", 100), charge_id="charge-1"))
    [again] = await books.said("payment.posted")
    assert again["data"] == said[0]


async def test_held_money_is_told_and_alarmed(books: Any) -> None:
    await books.open(books.asked("A", "1000.00"))
    before = alarms("payment_in_suspense")
    await books.arrive(
        books.paid("p1", 100, ("A", 60), ("nobody", 40)),
        books.paid("p2", 5, ("nobody", 5)),
        books.paid("p3", 7, ("A", 7)),
    )
    assert alarms("payment_in_suspense") == before + 2
    assert [e["subject"] for e in await books.said("payment.posted")] == ["A", "A"]
    told = [e["data"] for e in await books.said("payment.unmatched")]
    assert [(t["provider_payment_id"], t["amount_kopecks"], t["contract"]) for t in told] == [
        ("p1", 40, None),
        ("p2", 5, "nobody"),
    ]
    assert {(t["provider"], t["reason"]) for t in told} == {(PROVIDER, "unknown_contract")}


async def test_a_repeat_is_acknowledged_by_the_same_event(books: Any) -> None:
    await books.open(books.asked("A", "1000.00"))
    given = books.paid("p1", 100, ("A", 60), ("nobody", 40))
    await books.arrive(given)
    said = await books.said()
    await send_all(books)
    books.clock.advance(timedelta(hours=1))
    [again] = await books.arrive(given)
    assert again.outcome is Outcome.REPEAT
    assert await books.said() == said
    assert await pending(books) == ["payment.posted", "payment.unmatched"]


async def test_a_pruned_acknowledgement_is_said_under_another_id(books: Any) -> None:
    await books.open(books.asked("A", "1000.00"))
    given = books.paid("p1", 100, ("A", 60), ("nobody", 40))
    await books.arrive(given)
    old = await books.said("payment.posted", "payment.unmatched")
    async with transaction(books.db) as tx:
        await tx.execute(delete(outbox))
        # Another credit limit makes another event of the same fact: it must not be a conflict.
        await tx.execute(update(balance).values(credit_limit_kopecks=7))
    await books.arrive(given)
    new = await books.said("payment.posted", "payment.unmatched")
    assert [e["type"] for e in new] == [e["type"] for e in old]
    assert not {e["id"] for e in new} & {e["id"] for e in old}
    assert new[0]["data"] == {**old[0]["data"], "available_kopecks": 100_067}
    assert new[1]["data"] == old[1]["data"]
    books.clock.advance(timedelta(days=1))
    async with transaction(books.db) as tx:
        await tx.execute(delete(outbox))
    await books.arrive(given)
    third = await books.said("payment.posted")
    assert third[0]["id"] not in {new[0]["id"], old[0]["id"]}


async def test_a_repeat_in_the_same_batch_is_said_once(books: Any) -> None:
    await books.open(books.asked("A", "1000.00"))
    given = books.paid("p1", 100, ("A", 100))
    receipts = await books.arrive(given, given)
    assert [r.outcome for r in receipts] == [Outcome.POSTED, Outcome.REPEAT]
    assert len(await books.said("payment.posted")) == 1


async def test_another_amount_is_listed_and_alarmed(books: Any) -> None:
    await books.open(books.asked("A", "1000.00"))
    await books.arrive(books.paid("p1", 100, ("A", 100)))
    await send_all(books)
    before = alarms("payment_uncredited")
    receipts = await books.arrive(
        books.paid("p1", 99, ("A", 99)), books.paid("p1", 99, ("A", 99)), books.paid("p1", 98)
    )
    assert {r.outcome for r in receipts} == {Outcome.CONFLICT}
    assert alarms("payment_uncredited") == before + 3
    assert await pending(books) == []
    async with reading(books.db) as tx:
        listed = await uncredited.find(tx, ["p1"])
    assert sorted((r.amount_kopecks, r.reason, r.contract) for r in listed) == [
        (98, "another_amount", None),
        (99, "another_amount", "A"),
    ]
    assert await books.balances() == {"A": 100_100}


async def test_what_came_before_the_cutover_is_only_listed(books: Any) -> None:
    cutover = books.clock() - timedelta(days=1)
    strict = books.under(cutover_at=cutover)
    await books.open(books.asked("A", "1000.00"))
    early = books.paid("old", 100, ("A", 100), paid_at=cutover - timedelta(microseconds=1))
    exact = books.paid("new", 7, ("A", 7), paid_at=cutover)
    first, second, third = await strict.arrive(early, exact, early)
    assert (first, third) == (None, None)
    assert second.outcome is Outcome.POSTED
    assert await books.balances() == {"A": 100_007}
    async with reading(books.db) as tx:
        [listed] = await uncredited.find(tx, ["old", "new"])
    assert (listed.external_id, listed.reason, listed.source, listed.amount_kopecks) == (
        "old",
        "before_cutover",
        f"payment:{PROVIDER}",
        100,
    )
    assert [e["data"]["provider_payment_id"] for e in await books.said("payment.posted")] == ["new"]


@pytest.mark.parametrize("count", [0, 1])
async def test_nothing_is_said_of_nothing(books: Any, count: int) -> None:
    assert await books.arrive(*[books.paid("p", 1)] * count) is not None
    assert len(await books.said()) == count
