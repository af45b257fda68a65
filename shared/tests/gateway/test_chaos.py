"""Everything at once: whatever is lost, doubled, late or forged, the provider's truth is said."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.gateway import payments
from shared.gateway.provider import Refused, Status, Throttled, Unclear

FAILURES = ("lost", Unclear("timeout"), Unclear("http_502"), Throttled(), None, None, None)


class Chaos:
    """A seeded run of two replicas against one provider."""

    def __init__(self, stands: list[Any], seed: int) -> None:
        self.stands = stands
        self.provider = stands[0].provider
        self.dice = random.Random(seed)
        self.forged = 0

    async def act(self) -> None:
        deeds = (self.begin, self.begin, self.pay, self.pay, self.cancel, self.nudge, self.nudge)
        deeds += (self.hold, self.nudge)
        rarer = (self.forge, self.stale, self.vanish, self.wait)
        await self.dice.choice(deeds + deeds + rarer)()

    async def begin(self) -> None:
        self.provider.creates.append(self.dice.choice(FAILURES))
        amount = self.dice.randrange(100, 100_000)
        await self.dice.choice(self.stands).wish(amount, order_id=str(uuid4()))

    async def hold(self) -> None:
        """Hold money that the gateway has to take; what it is told of that may be lost."""
        for provider_id in self._some(Status.PENDING):
            self.provider.hold(provider_id)
            self.provider.captures.append(self.dice.choice(FAILURES))

    async def pay(self) -> None:
        for provider_id in self._some(Status.PENDING):
            if self.provider.made[provider_id].on_hold:
                continue  # the payer has done their part
            short = self.dice.random() < 0.1
            truth = self.provider.made[provider_id]
            self.provider.pay(provider_id, amount_kopecks=truth.amount_kopecks - short)

    async def cancel(self) -> None:
        for provider_id in self._some(Status.PENDING):
            self.provider.change(provider_id, on_hold=False)
            self.provider.cancel(provider_id)

    async def nudge(self) -> None:
        ids = self._some(*Status)
        times = self.dice.choice((0, 1, 1, 2))
        for provider_id in ids * times:
            truth = self.provider.made[provider_id]
            stand = self.dice.choice(self.stands)
            claims = truth.status if self.dice.random() < 0.9 else Status.PENDING
            await stand.callback(provider_id, payment_id=truth.payment_id, claims=claims)

    async def forge(self) -> None:
        self.forged += 1
        await self.dice.choice(self.stands).callback(str(uuid4()))

    async def stale(self) -> None:
        told = self.dice.choice([Unclear("timeout"), Throttled(), Refused("forbidden", ours=True)])
        self.provider.fetches.append(told)

    async def vanish(self) -> None:
        """An old answer that arrives now."""
        waiting = [p for p in self.provider.made.values() if p.status is Status.PENDING]
        if waiting:
            self.provider.creates.append(Unclear("reset"))

    async def wait(self) -> None:
        self.stands[0].clock.advance(timedelta(seconds=self.dice.randrange(1, 90)))
        await asyncio.gather(*(stand.settle() for stand in self.stands))

    async def finish(self) -> None:
        self.provider.creates.clear()
        self.provider.fetches.clear()
        self.provider.captures.clear()
        await self.stands[0].wish(order_id=str(uuid4()))
        await self.hold()
        for _ in range(6):
            self.stands[0].clock.advance(timedelta(minutes=15))
            await asyncio.gather(*(stand.settle() for stand in self.stands))

    def _some(self, *statuses: Status) -> list[str]:
        fitting = sorted(i for i, p in self.provider.made.items() if p.status in statuses)
        return self.dice.sample(fitting, min(len(fitting), self.dice.choice((1, 1, 3))))


@pytest.mark.parametrize("seed", range(4))
async def test_the_providers_truth_is_said_once_to_the_kopeck(
    stand: Any, make_stand: Callable[..., Any], db: Any, seed: int
) -> None:
    chaos = Chaos([stand, make_stand(db, stand.provider)], seed)
    for _ in range(120):
        await chaos.act()
    await chaos.finish()
    took = {
        truth.id: truth.amount_kopecks
        for truth in stand.provider.made.values()
        if truth.status is Status.SUCCEEDED
    }
    said = await stand.said()
    assert {event.subject: event.data["amount_kopecks"] for event in said} == took
    assert len(said) == len(took)
    assert took, "a run without money proves nothing"
    by_key = Counter(key for key, _ in set(stand.provider.sent))
    assert set(by_key.values()) == {1}, "one key, one body"
    rows = await stand.rows(payments.payment)
    assert len(rows) == len(stand.provider.keys), "one row a payment"
    assert not any(truth.on_hold for truth in stand.provider.made.values()), "all money is taken"
    captured = Counter(key for key, _ in {(key, body) for _, key, body in stand.provider.taken})
    assert set(captured.values()) == {1}, "held money is taken, one key, one body"
    finished = {truth.id: str(truth.status) for truth in stand.provider.made.values()}
    assert {row.provider_payment_id: row.status for row in rows} == finished
