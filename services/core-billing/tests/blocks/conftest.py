"""The job that blocks, with everything that it needs to hear."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, update

from core_billing import block_job, block_rows, consumer
from core_billing.block_gate import Gate
from core_billing.block_rows import Access
from core_billing.policy_rows import policy
from shared import inbox
from shared.db import reading, transaction
from shared.events import Allocation, Event
from shared.events_billing import GatewayAlive
from shared.metrics import ALARMS
from shared.outbox import outbox

PROVIDER = "yookassa:100500"
GATEWAY = "gateway-yookassa"


def alive(at: datetime, name: str = GATEWAY, **behind: int) -> Event:
    """Return a sign of life."""
    figures = {"unsettled_seconds": 0, "unpublished_seconds": 0, **behind}
    body = GatewayAlive(occurred_at=at, gateway=name, **figures)
    return body.event(name, subject=name, revision=at.isoformat(), correlation_id="a")


def heard(
    kind: Any, external_id: str, at: datetime, *shares: tuple[str, int], **more: Any
) -> Event:
    """Return what a gateway says of a payment."""
    body = kind(
        occurred_at=at,
        provider=PROVIDER,
        provider_payment_id=external_id,
        amount_kopecks=sum(kopecks for _, kopecks in shares),
        allocations=[Allocation(contract=c, amount_kopecks=k) for c, k in shares],
        **more,
    )
    return body.event(GATEWAY, subject=external_id, revision=external_id, correlation_id="c-1")


class Desk:
    """The job with everything that it needs to hear, and what came of it."""

    alive = staticmethod(alive)
    heard = staticmethod(heard)

    def __init__(self, books: Any) -> None:
        self.books = books
        self.bus = True
        self.gate = Gate(books.core, lambda: self.bus)
        self.money, _ = consumer.consumers(books.db, books.core.rules, books.clock)

    async def take(self, *events: Event) -> None:
        results = await inbox.apply(self.money, events, self.books.clock)
        assert all(result.error is None for result in results), results

    async def pump(self) -> None:
        """Carry what was said to our own queue there, as the relay and the bus do."""
        for event in await self.books.said(GatewayAlive.TYPE):
            body = GatewayAlive.model_validate(event["data"])
            again = body.event(
                "core-billing",
                subject=event["subject"],
                revision=event["revision"],
                correlation_id=event["correlationid"],
            )
            await inbox.apply(self.money, [again], self.books.clock)
        async with transaction(self.books.db) as tx:
            mine = outbox.c.type == GatewayAlive.TYPE
            await tx.execute(update(outbox).where(mine).values(sent_at=self.books.clock()))

    async def step(self, *, after: timedelta = timedelta(0), quiet: bool = False) -> None:
        """Let the gateways say that they live, then let the job do all it can."""
        self.books.clock.advance(after)
        if not quiet:
            await self.take(alive(self.books.clock()))
        await block_job.step(self.gate)
        await self.pump()
        await block_job.step(self.gate)

    async def blocked(self) -> set[str]:
        async with reading(self.books.db) as tx:
            return {one.number for one in await block_rows.blocked(tx, 0, 1000)}

    async def short(self) -> list[Access]:
        """Return who has run out of money and is not blocked."""
        async with reading(self.books.db) as tx:
            return await block_rows.short(tx, 0, 1000)

    async def told(self) -> list[tuple[str, str, int, str]]:
        """Return the changes of access that were said: contract, what, revision, reason."""
        events = await self.books.said("contract.blocked", "contract.unblocked")
        return [
            (
                e["subject"],
                e["type"].removeprefix("contract."),
                e["data"]["revision"],
                e["data"]["reason"],
            )
            for e in events
        ]

    async def rule(self, kind: Any, scope: str = "", **value: Any) -> None:
        """Set a policy from the beginning of time."""
        row = {"name": kind.name, "scope": scope, "revision": 1, "valid_from": date(2020, 1, 1)}
        row |= {"value": value, "set_at": self.books.clock(), "set_by": "x", "reason": ""}
        async with transaction(self.books.db) as tx:
            await tx.execute(insert(policy).values(**row))

    @property
    def withheld(self) -> float:
        """How often it was complained that blocks are withheld."""
        return float(ALARMS.labels("blocks_withheld")._value.get())


@pytest.fixture
def desk(books: Any) -> Desk:
    return Desk(books)
