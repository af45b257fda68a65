"""Saving, removing and charging in any order with faults: one charge an id, never of a removed."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from shared.db import transaction
from shared.events_gateway import ChargeRequested, FailureClass
from shared.gateway import charging, methods, methods_saving
from shared.gateway.consent import Consent
from shared.gateway.method import MethodStatus
from shared.gateway.methods import payment_method
from shared.gateway.provider import Refused, Status, Throttled, Unclear
from shared.gateway.terms import Terms
from shared.money import Money

FAILURES = ("lost", Unclear("timeout"), Throttled(), None, None, None)
REFUSALS = (None, None, None, "insufficient_funds", "card_expired")


@pytest.fixture
def terms() -> Terms:
    return Terms(Money(100), Money(35_000_000), saves=True)


class Chaos:
    """A seeded run of two replicas against one provider."""

    def __init__(self, stands: list[Any], seed: int) -> None:
        self.stands = stands
        self.provider = stands[0].provider
        self.dice = random.Random(seed)
        self.refs: list[UUID] = []
        self.charges: dict[str, Any] = {}
        self.sent_by_removal: dict[str, int] = {}

    async def act(self) -> None:
        deeds = (self.save, self.charge, self.charge, self.repeat, self.nudge, self.wait)
        await self.dice.choice((*deeds, *deeds, self.remove, self.forbid))()

    @property
    def stand(self) -> Any:
        return self.dice.choice(self.stands)

    async def save(self) -> None:
        consent = Consent("1", self.stands[0].clock(), None, "demo")
        # Refusals are for charges: a shop that may not save saves nothing for an hour.
        refusals, self.provider.creates = self.provider.creates, []
        begun = await self.stand.wish(consent=consent)
        self.provider.creates = refusals
        provider_id = begun.payment.provider_payment_id
        if provider_id is None:
            return
        self.provider.save(provider_id)
        await self.stand.callback(provider_id)
        self.refs.append(methods.id_of(begun.payment.id))

    async def charge(self) -> None:
        if not self.refs:
            return
        self.provider.creates.append(self.dice.choice(FAILURES))
        reason = self.dice.choice(REFUSALS)
        failure = FailureClass.HARD if reason == "card_expired" else FailureClass.SOFT
        canceled = {"status": Status.CANCELED, "said": "canceled", "failure": failure}
        self.provider.outcomes.append(None if reason is None else {**canceled, "reason": reason})
        number = f"charge-{len(self.charges)}"
        at = self.stands[0].clock()
        body = ChargeRequested(
            contract="100245",
            occurred_at=at,
            charge_id=number,
            provider=self.provider.shop,
            method_ref=str(self.dice.choice(self.refs)),
            amount_kopecks=self.dice.randrange(100, 100_000),
            not_after=at + timedelta(minutes=10),
        )
        self.charges[number] = body
        await self.say(number, "1")

    async def repeat(self) -> None:
        if self.charges:
            await self.say(self.dice.choice(sorted(self.charges)), str(self.dice.randrange(3)))

    async def say(self, number: str, revision: str) -> None:
        event = self.charges[number].event(
            "autopay", subject=number, revision=revision, correlation_id="corr"
        )
        await self.stand.follow(event)

    async def remove(self) -> None:
        if not self.refs:
            return
        stand, ref = self.stand, self.dice.choice(self.refs)
        async with transaction(stand.gateway.db) as tx:
            await methods_saving.remove(tx, stand.gateway, ref, stand.clock())
        self.sent_by_removal.setdefault(str(ref), len(self.provider.sent))

    async def nudge(self) -> None:
        """Callbacks about anything that was ever paid, as often as a provider likes."""
        for truth in self.dice.sample(sorted(self.provider.made), min(3, len(self.provider.made))):
            known = self.provider.made[truth]
            await self.stand.callback(truth, payment_id=known.payment_id)

    async def forbid(self) -> None:
        self.provider.creates.append(Refused("forbidden", ours=True))

    async def resume(self) -> None:
        """An operator sees the alarm and has the shop charge again."""
        async with transaction(self.stand.gateway.db) as tx:
            await charging.resume(tx, self.stands[0].clock())

    async def wait(self) -> None:
        self.stands[0].clock.advance(timedelta(seconds=self.dice.randrange(1, 400)))
        if self.dice.random() < 0.7:
            await self.resume()
        await asyncio.gather(*(stand.settle() for stand in self.stands))

    async def finish(self) -> None:
        self.provider.creates.clear()
        for _ in range(8):
            self.stands[0].clock.advance(timedelta(hours=4))
            await asyncio.gather(*(stand.settle() for stand in self.stands))


@pytest.mark.parametrize("seed", range(2))
async def test_one_charge_for_each_id_and_none_of_a_removed_method(
    stand: Any, make_stand: Callable[..., Any], db: Any, seed: int
) -> None:
    chaos = Chaos([stand, make_stand(db, stand.provider)], seed)
    for _ in range(80):
        await chaos.act()
    await chaos.finish()
    made = [truth for truth in stand.provider.made.values() if truth.charge_id]
    assert made, "a run without charges proves nothing"
    assert max(Counter(truth.charge_id for truth in made).values()) == 1
    took = {t.charge_id: t.amount_kopecks for t in made if t.status is Status.SUCCEEDED}
    said = [event.data for event in await stand.said() if event.data["charge_id"]]
    assert {data["charge_id"]: data["amount_kopecks"] for data in said} == took
    failed = Counter(event.data["charge_id"] for event in await stand.said("charge.failed"))
    assert set(failed) == set(chaos.charges) - set(took), "each has one end"
    assert set(failed.values()) <= {1}
    assert len({key for key, _ in stand.provider.sent}) == len(set(stand.provider.sent))
    await _removed_stay(stand, chaos)


async def _removed_stay(stand: Any, chaos: Chaos) -> None:
    rows = {str(row.id): row for row in await stand.rows(payment_method)}
    first: dict[str, int] = {}
    for number, (_, request) in enumerate(stand.provider.sent):
        charge_id = orjson.loads(request).get("charge_id")
        if charge_id is not None:
            first.setdefault(charge_id, number)
    for ref, sent in chaos.sent_by_removal.items():
        row = rows[ref]
        assert (row.status, row.token) == (str(MethodStatus.REMOVED), None)
        late = [c for c, body in chaos.charges.items() if body.method_ref == ref]
        assert all(first.get(charge_id, -1) < sent for charge_id in late)
    revoked = Counter(event.subject for event in await stand.said("payment_method.revoked"))
    assert set(chaos.sent_by_removal) <= set(revoked)
