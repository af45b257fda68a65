"""What wakes a waiting event: its predecessor's transaction, or the sweep; and who hears of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event as hooks
from sqlalchemy import insert, update

from doubles import NOW, Bank, add, make_event, open_bank
from shared import inbox, waiting
from shared.db import Database, Tx, transaction
from shared.envelope import Event, encode
from shared.inbox import Consumer, Outcome, apply

DONE, WAITING = Outcome.DONE, Outcome.WAITING
REFUND, PAYMENT = make_event(7, 30, "refund.succeeded"), make_event(7, 100)
QUEUE = "notifier"


@dataclass
class Till:
    """A consumer whose refunds wait for their payments, and fail where they are told to."""

    bank: Bank
    fails: set[str] = field(default_factory=set)
    paid: set[str] = field(default_factory=set)

    async def handle(self, tx: Tx, events: Sequence[Event]) -> Mapping[UUID, str]:
        """Book what may be booked."""
        waits = {}
        for event in sorted(events, key=lambda one: one.type):
            if event.type == "payment.succeeded":
                self.paid.add(event.subject)
                await add(tx, "payments", event.data["amount_kopecks"])
            elif event.subject not in self.paid:
                waits[event.id] = f"payment:{event.subject}"
            else:
                await add(tx, "refunds", event.data["amount_kopecks"])
                if event.subject in self.fails:
                    raise ValueError("this refund cannot be booked")
        return waits

    async def give(self, *events: Event) -> list[Outcome]:
        """Give events to the inbox."""

        def brings(event: Event) -> str | None:
            return f"payment:{event.subject}" if event.type == "payment.succeeded" else None

        consumer = Consumer(QUEUE, self.bank.db, self.handle, brings=brings)
        return [one.outcome for one in await apply(consumer, events, self.bank.clock)]

    async def sweep(self) -> None:
        """Look after the waiting ones."""
        await waiting.sweep(self.bank.db, QUEUE, self.handle, self.bank.clock)

    async def row(self, event: Event = REFUND) -> Any:
        """Return an event's row."""
        return (await self.bank.rows())[event.id]

    async def balances(self) -> tuple[int, int]:
        """Return what was paid and what was refunded."""
        return await self.bank.balance("payments"), await self.bank.balance("refunds")


@pytest.fixture
async def till(bus_db: Database) -> Till:
    return Till(await open_bank(bus_db))


async def test_the_payment_brings_its_refund_along(till: Till) -> None:
    other = make_event(8, 5, "refund.succeeded")
    assert await till.give(REFUND, other) == [WAITING, WAITING]
    assert await till.give(PAYMENT) == [DONE]
    assert await till.balances() == (100, 30)
    assert (await till.row()).done_at == NOW
    assert (await till.row(other)).waits_for == "payment:8"


async def test_a_row_that_is_there_already_wakes_as_well(till: Till) -> None:
    """On the memory bus the row is the message, so nothing is inserted."""
    await till.give(REFUND)
    async with transaction(till.bank.db) as tx:
        row = {"event_id": PAYMENT.id, "queue": QUEUE, "digest": PAYMENT.digest()}
        await tx.execute(insert(inbox.inbox).values(**row, body=encode(PAYMENT), due_at=NOW))
    assert await till.give(PAYMENT) == [DONE]
    assert await till.balances() == (100, 30)


async def test_a_refund_that_fails_does_not_hold_up_its_payment(till: Till) -> None:
    till.fails.add("7")
    await till.give(REFUND)
    assert await till.give(PAYMENT) == [DONE]
    assert await till.balances() == (100, 0)
    await till.sweep()
    assert (await till.row()).waits_for == "payment:7"
    till.fails.clear()
    await till.sweep()
    assert await till.balances() == (100, 30)


async def test_two_that_passed_each_other_meet_in_the_sweep(till: Till) -> None:
    await till.give(REFUND)
    till.paid.add("7")
    await till.sweep()
    await till.sweep()
    assert await till.balances() == (0, 30)
    assert (await till.row()).done_at == NOW


async def test_one_that_waits_too_long_is_an_alarm_once(till: Till, counted: Any) -> None:
    await till.give(REFUND)
    till.bank.clock.advance(timedelta(minutes=14, seconds=59))
    await till.give(REFUND)
    await till.sweep()
    assert counted("saldo_alarms_total", kind="event_waits") == 0
    assert counted("saldo_events_waiting", queue=QUEUE) == 1
    till.bank.clock.advance(timedelta(seconds=1))
    for _ in range(3):
        await till.sweep()
        await till.give(REFUND)
    assert counted("saldo_alarms_total", kind="event_waits") == 1
    await till.give(PAYMENT)
    await till.sweep()
    assert counted("saldo_events_waiting", queue=QUEUE) == 0
    assert await till.balances() == (100, 30)


async def test_a_sweep_is_for_its_own_queue(till: Till) -> None:
    await till.give(REFUND)
    async with transaction(till.bank.db) as tx:
        await tx.execute(update(inbox.inbox).values(queue="another"))
    till.paid.add("7")
    await till.sweep()
    assert await till.balances() == (0, 0)


async def test_nobody_who_waits_costs_no_statement(till: Till) -> None:
    run: list[str] = []

    def count(_c: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        run.append(statement)

    hooks.listen(till.bank.db.engine.sync_engine, "before_cursor_execute", count)
    await till.give(make_event(1, 1), make_event(2, 2))
    assert [text for text in run if "waits_for" in text and "INSERT" not in text] == []
    run.clear()
    await till.give(REFUND)
    run.clear()
    await till.give(PAYMENT)
    assert [text for text in run if text.startswith("SELECT") and "waits_for" in text] != []
