"""Payments and refunds in any order and company: the same books come of it."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core_billing import consumer, refunds
from shared import inbox
from shared.db import transaction
from shared.events import Event, PaymentSucceeded
from shared.events_gateway import RefundFailed, RefundSucceeded
from shared.inbox import Consumer

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
NUMBERS = ("A", "B")
KOPECKS = st.integers(1, 10**9)
PARTS = st.lists(st.integers(1, 100), max_size=4)


@dataclass
class Story:
    """What happens to one payment, as the provider knows it."""

    shares: tuple[int, int, int]
    """What A, B and nobody's contract are to get."""
    unasked: list[int]
    """Percents of the payment that are refunded in the provider's profile."""
    asked: list[tuple[int, bool]]
    """Percents that are asked for here, and whether they are sent."""

    @property
    def amount(self) -> int:
        """Return what was paid."""
        return sum(self.shares)


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draw a payment with refunds that together are no more than it."""
    shares = draw(st.tuples(KOPECKS, st.integers(0, 10**9), st.integers(0, 10**9)))
    percents = draw(PARTS)
    while sum(percents) > 100:
        percents.pop()
    cut = draw(st.integers(0, len(percents)))
    asked = [(percent, draw(st.booleans())) for percent in percents[cut:]]
    return Story(shares, percents[:cut], asked)


def event_of(body: Any, subject: str) -> Event:
    """Wrap a body as the gateway does."""
    made: Event = body.event(
        "gateway-yookassa", subject=subject, revision=subject, correlation_id=""
    )
    return made


class Shop:
    """One history: contracts and a provider that no other history uses."""

    count = 0

    def __init__(self, books: Any) -> None:
        type(self).count += 1
        self.books, self.provider = books, f"x:{self.count}"
        self.numbers = [f"{self.count}-{name}" for name in NUMBERS]

    def paid(self, key: str, story: Story) -> Event:
        """Return the payment's event."""
        names = (*self.numbers, "nobody")
        shares = [(n, k) for n, k in zip(names, story.shares, strict=True) if k]
        body = PaymentSucceeded(
            occurred_at=AT,
            paid_at=AT,
            provider=self.provider,
            provider_payment_id=key,
            amount_kopecks=story.amount,
            allocations=[{"contract": number, "amount_kopecks": k} for number, k in shares],
        )
        return event_of(body, f"{self.provider}:{key}")

    def sent(self, key: str, refund: str, kopecks: int, refund_id: str | None = None) -> Event:
        """Return the event of a refund that was sent."""
        body = RefundSucceeded(
            occurred_at=AT,
            provider=self.provider,
            provider_refund_id=refund,
            provider_payment_id=key,
            amount_kopecks=kopecks,
            refund_id=refund_id,
        )
        return event_of(body, f"{self.provider}:{refund}")

    def failed(self, key: str, kopecks: int, refund_id: str) -> Event:
        """Return the event of a refund that was not."""
        body = RefundFailed(
            occurred_at=AT,
            provider=self.provider,
            provider_payment_id=key,
            amount_kopecks=kopecks,
            refund_id=refund_id,
        )
        return event_of(body, refund_id)

    async def ask(self, key: str, kopecks: int) -> str:
        """Ask for a refund."""
        async with transaction(self.books.db) as tx:
            reference = (f"payment:{self.provider}", key)
            rules = self.books.core.rules
            return await refunds.request_refund(tx, rules, reference, kopecks, "", AT)

    async def net(self) -> dict[str, int]:
        """Return the credits less the debits of this history's accounts."""
        sums: dict[str, int] = {}
        mine = (*(f"contract:{number}" for number in self.numbers),)
        for *_, debit, credit, kopecks, _, _ in await self.books.lines():
            for name, moved in ((debit, -kopecks), (credit, kopecks)):
                if name in mine or name.endswith(f":{self.provider}"):
                    sums[name] = sums.get(name, 0) + moved
        return sums


async def live(books: Any, told: list[Story], data: st.DataObject) -> None:
    """Let the stories happen, their events in any order, in batches, some of them twice."""
    shop = Shop(books)
    await books.open(*shop.numbers)
    queue = consumer.consumers(books.db, books.core.rules, books.clock)[0]
    events: list[Event] = []
    sent = 0
    for n, story in enumerate(told):
        key = f"p{n}"
        events.append(shop.paid(key, story))
        if story.asked:  # who asks has seen the payment
            await hear(queue, events[-1])
        parts = [(percent, None) for percent in story.unasked] + story.asked
        for m, (percent, done) in enumerate(parts):
            kopecks = max(1, story.amount * percent // 100) if story.amount >= 100 else 0
            if kopecks == 0:
                continue
            refund_id = None if done is None else await shop.ask(key, kopecks)
            if done is False and refund_id is not None:
                events.append(shop.failed(key, kopecks, refund_id))
            else:
                sent += kopecks
                events.append(shop.sent(key, f"{key}r{m}", kopecks, refund_id))
    order = data.draw(st.permutations([*events, *data.draw(st.lists(st.sampled_from(events)))]))
    while order:
        size = data.draw(st.integers(1, 5))
        await hear(queue, *order[:size])
        order = order[size:]
    net = await shop.net()
    paid = sum(story.amount for story in told)
    assert net.pop(f"clearing:{shop.provider}") == sent - paid
    assert net.pop(f"refund:{shop.provider}", 0) == 0
    assert sum(net.values()) == paid - sent
    # Nobody is left with less than nothing, since no more was refunded than was paid.
    assert all(kopecks >= 0 for kopecks in net.values())
    assert (await books.proof()).faults == []


async def hear(queue: Consumer, *events: Event) -> None:
    """Hand events over as the bus does; none of these may fail."""
    results = await inbox.apply(queue, events, lambda: AT)
    assert not [result.error for result in results if result.error is not None]


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop of the test's own: hypothesis calls functions, not coroutines."""
    with asyncio.Runner() as made:
        yield made


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_any_order_makes_the_same_books(books: Any, runner: asyncio.Runner) -> None:
    @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(stories(), min_size=1, max_size=3), st.data())
    def any_order(told: list[Story], data: st.DataObject) -> None:
        runner.run(live(books, told, data))

    any_order()
    runner.run(books.db.close())
