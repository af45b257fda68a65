"""Events that came before what they need: they wait, and are applied with it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import pytest

from doubles import NOW, Bank, add, make_event, open_bank
from shared import inbox
from shared.db import Database, Tx, transaction
from shared.envelope import Event
from shared.inbox import Outcome, waiting_for

DONE, REPEAT, WAITING = Outcome.DONE, Outcome.REPEAT, Outcome.WAITING
FAILED = Outcome.FAILED


@pytest.fixture
async def bank(bus_db: Database) -> Bank:
    return await open_bank(bus_db)


class TestWaiting:
    """A refund that comes before its payment waits for it, and is applied with it."""

    REFUND, PAYMENT = make_event(7, 30, "refund.succeeded"), make_event(7, 100)

    async def handle(self, tx: Tx, events: Sequence[Event]) -> Mapping[UUID, str]:
        for event in events:
            if event.type == "payment.succeeded":
                await add(tx, "payments", event.data["amount_kopecks"])
                for late in await waiting_for(tx, [f"payment:{event.subject}"], NOW):
                    await add(tx, "refunds", late.data["amount_kopecks"])
        refunds = [event for event in events if event.type == "refund.succeeded"]
        return {refund.id: f"payment:{refund.subject}" for refund in refunds}

    async def test_it_waits_and_costs_no_attempt(self, bank: Bank) -> None:
        assert await bank.outcomes(self.REFUND, handle=self.handle) == [WAITING]
        row = (await bank.rows())[self.REFUND.id]
        assert (row.done_at, row.waits_for, row.stored_at) == (None, "payment:7", NOW)
        bank.clock.advance(timedelta(days=365))
        assert await inbox.prune(bank.db, bank.clock()) == 0

    async def test_it_is_applied_in_the_transaction_of_its_payment(self, bank: Bank) -> None:
        other = make_event(8, 5, "refund.succeeded")
        await bank.apply(self.REFUND, other, handle=self.handle)
        assert await bank.outcomes(self.PAYMENT, handle=self.handle) == [DONE]
        assert (await bank.balance("payments"), await bank.balance("refunds")) == (100, 30)
        rows = await bank.rows()
        assert (rows[self.REFUND.id].done_at, rows[self.REFUND.id].body) == (NOW, None)
        assert rows[other.id].waits_for == "payment:8"
        assert await bank.outcomes(self.REFUND, handle=self.handle) == [REPEAT]
        assert await bank.balance("refunds") == 30

    async def test_when_its_payment_fails_it_waits_on(self, bank: Bank) -> None:
        async def fail(tx: Tx, events: Sequence[Event]) -> None:
            await self.handle(tx, events)
            raise ValueError("after the refund was applied")

        await bank.apply(self.REFUND, handle=self.handle)
        assert await bank.outcomes(self.PAYMENT, handle=fail) == [FAILED]
        assert (await bank.rows())[self.REFUND.id].waits_for == "payment:7"
        assert await bank.outcomes(self.PAYMENT, handle=self.handle) == [DONE]
        assert await bank.balance("refunds") == 30

    async def test_when_it_comes_again_it_waits_on(self, bank: Bank) -> None:
        for _ in range(3):
            assert await bank.outcomes(self.REFUND, handle=self.handle) == [WAITING]
        assert len(await bank.rows()) == 1
        await bank.apply(self.PAYMENT, handle=self.handle)
        assert await bank.balance("refunds") == 30

    async def test_two_payments_at_once_take_it_once(self, bank: Bank) -> None:
        again = Event(
            make_event(99).id, "gateway", "payment.succeeded", "7", NOW, "2", "", self.PAYMENT.data
        )
        await bank.apply(self.REFUND, handle=self.handle)
        await asyncio.gather(
            bank.apply(self.PAYMENT, handle=self.handle), bank.apply(again, handle=self.handle)
        )
        assert (await bank.balance("payments"), await bank.balance("refunds")) == (200, 30)

    async def test_nothing_waits_for_no_reference(self, bank: Bank) -> None:
        async with transaction(bank.db) as tx:
            assert await waiting_for(tx, [], NOW) == []
            assert await waiting_for(tx, ["payment:404"], NOW) == []

    async def test_only_an_event_of_the_batch_can_be_made_to_wait(self, bank: Bank) -> None:
        async def confused(_tx: Tx, _events: Sequence[Event]) -> Mapping[UUID, str]:
            return {make_event(404).id: "payment:7"}

        assert await bank.outcomes(self.PAYMENT, handle=confused) == [FAILED]
        assert await bank.rows() == {}
