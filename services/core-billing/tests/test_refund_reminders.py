"""A refund that was asked for is asked for again until it is answered."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core_billing import consumer, refund_reminders, refund_rows, refunds
from shared import inbox, log
from shared.db import reading, transaction
from shared.events import Event
from shared.events_gateway import RefundFailed, RefundSucceeded
from shared.metrics import ALARMS
from shared.outbox import outbox

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
PROVIDER = "yookassa:100500"
P1 = (f"payment:{PROVIDER}", "p1")
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@dataclass
class Waiter:
    """Somebody who has asked for a refund and hears nothing."""

    books: Any
    refund_id: str

    async def wait(self, time: timedelta) -> int:
        """Let time pass, then ask again what is due; return how much of it goes out."""
        self.books.clock.advance(time)
        await self.published()
        assert not await refund_reminders.step(self.books.core)
        return await self.published()

    async def published(self) -> int:
        """Send what waits in the outbox; return how many requests were among it."""
        waiting = update(outbox).where(outbox.c.sent_at.is_(None)).values(sent_at=AT)
        async with transaction(self.books.db) as tx:
            types = list((await tx.execute(waiting.returning(outbox.c.type))).scalars())
        return types.count("refund.requested")

    async def hear(self, succeeded: bool) -> None:
        """Hear the answer of the gateway."""
        said = {"provider": PROVIDER, "provider_payment_id": "p1", "amount_kopecks": 51}
        said |= {"provider_refund_id": "r1", "occurred_at": AT, "refund_id": self.refund_id}
        body = RefundSucceeded(**said) if succeeded else RefundFailed(**said, reason="no")
        event: Event = body.event("gateway", subject="r1", revision="1", correlation_id="r-1")
        queue, _ = consumer.consumers(self.books.db, self.books.core.rules, self.books.clock)
        [result] = await inbox.apply(queue, [event], self.books.clock)
        assert result.outcome is inbox.Outcome.DONE


@pytest.fixture
async def waiter(books: Any) -> Waiter:
    """A refund of 0.51 of a payment that two contracts and the suspense hold."""
    await books.open("A", "B")
    await books.arrive(books.paid("p1", 100, ("A", 60), ("B", 20), ("nobody", 20)))
    async with transaction(books.db) as tx:
        with log.bind_correlation("asked-1"):
            refund_id = await refunds.request_refund(
                tx, books.core.rules, P1, 51, "moved", books.clock()
            )
    return Waiter(books, refund_id)


@pytest.fixture
def unanswered() -> Callable[[], float]:
    """How often the alarm was raised since the test began."""
    counter = ALARMS.labels("refund_unanswered")
    before = counter._value.get()
    return lambda: counter._value.get() - before


async def test_it_is_asked_for_ever_more_slowly(
    waiter: Waiter, unanswered: Callable[[], float]
) -> None:
    assert await waiter.published() == 1
    assert await waiter.wait(9 * MINUTE) == 0
    assert await waiter.wait(MINUTE) == 1
    assert await waiter.wait(29 * MINUTE) == 0
    assert await waiter.wait(MINUTE) == 1
    assert unanswered() == 0
    assert await waiter.wait(HOUR) == 1
    assert unanswered() == 1
    assert await waiter.wait(HOUR) == 0
    for _ in range(2):
        assert await waiter.wait(6 * HOUR) == 1
    assert unanswered() == 3


async def test_the_same_request_in_another_event_after_the_outbox_was_pruned(
    waiter: Waiter,
) -> None:
    [first] = await waiter.books.said("refund.requested")
    async with transaction(waiter.books.db) as tx:
        await tx.execute(outbox.delete())
    assert await waiter.wait(10 * MINUTE) == 1
    [again] = await waiter.books.said("refund.requested")
    assert again["id"] != first["id"]
    assert (again["data"], again["correlationid"]) == (first["data"], "asked-1")


@pytest.mark.parametrize("succeeded", [True, False])
async def test_what_is_answered_is_not_asked_for_again(waiter: Waiter, succeeded: bool) -> None:
    assert await waiter.wait(10 * MINUTE) == 1
    await waiter.hear(succeeded)
    assert await waiter.wait(24 * HOUR) == 0
    async with reading(waiter.books.db) as tx:
        [row] = await tx.execute(select(refund_rows.refund))
    assert (row.say_at, row.says) == (None, 2)


async def test_one_of_the_profile_is_never_asked_for(books: Any) -> None:
    await books.open("A")
    await books.arrive(books.paid("p1", 100, ("A", 100)))
    waiter = Waiter(books, "theirs")
    await waiter.hear(True)
    assert await waiter.wait(24 * HOUR) == 0
