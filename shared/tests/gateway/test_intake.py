"""Callbacks are kept before they are answered: together, once, and each on its own merits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from shared.clock import ManualClock
from shared.db import Database, open_database
from shared.errors import Unavailable
from shared.gateway import callbacks, intake
from shared.gateway.callbacks import Received
from shared.gateway.intake import Intake
from shared.gateway.provider import Nudge, Status

SHOP = "yookassa:100500"


@pytest.fixture
def received(clock: ManualClock) -> Callable[..., Received]:
    def make(provider_id: str | None = None, event: str = "payment.succeeded") -> Received:
        nudge = Nudge(event, SHOP, provider_id or str(uuid4()), None, Status.SUCCEEDED)
        return Received(nudge, clock())

    return make


@pytest.fixture
async def door(db: Database, clock: ManualClock) -> AsyncIterator[Intake]:
    made = Intake(db, clock)
    async with made.running():
        yield made


async def test_what_is_answered_is_stored(
    stand: Any, door: Intake, received: Callable[..., Received]
) -> None:
    ids = [str(uuid4()) for _ in range(100)]
    await asyncio.gather(*(door.put(received(i)) for i in ids))
    rows = await stand.rows(callbacks.callback)
    assert {row.provider_payment_id for row in rows} == set(ids)
    assert {row.due_at for row in rows} == {stand.clock()}


async def test_duplicates_are_stored_once_and_all_answered(
    stand: Any, door: Intake, received: Callable[..., Received]
) -> None:
    ids = [str(uuid4()) for _ in range(7)]
    await asyncio.gather(*(door.put(received(ids[n % 7])) for n in range(200)))
    assert len(await stand.rows(callbacks.callback)) == 7


async def test_another_event_of_the_same_payment_is_another_callback(
    stand: Any, door: Intake, received: Callable[..., Received]
) -> None:
    one = str(uuid4())
    await asyncio.gather(door.put(received(one)), door.put(received(one, "payment.canceled")))
    assert len(await stand.rows(callbacks.callback)) == 2


async def test_a_callback_about_a_known_payment_is_known(stand: Any, door: Intake) -> None:
    begun = await stand.wish()
    nudge = Nudge(
        "payment.succeeded", SHOP, begun.payment.provider_payment_id, None, Status.SUCCEEDED
    )
    await door.put(Received(nudge, stand.clock()))
    assert [row.known for row in await stand.rows(callbacks.callback)] == [True]


@asynccontextmanager
async def _lock(db: Database) -> AsyncIterator[None]:
    """Keep every other writer waiting."""
    async with db.engine.connect() as connection:
        if db.postgres:
            await connection.execute(text("LOCK TABLE callback IN ACCESS EXCLUSIVE MODE"))
        else:
            await connection.execute(text("UPDATE callback SET attempts = 0"))
        yield


async def test_nobody_is_answered_before_the_commit(
    db: Database, door: Intake, received: Callable[..., Received]
) -> None:
    async with _lock(db):
        waiting = asyncio.create_task(door.put(received()))
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        assert not done
    await waiting


async def test_a_waiter_who_leaves_harms_nobody(
    stand: Any, db: Database, door: Intake, received: Callable[..., Received]
) -> None:
    async with _lock(db):
        waiting = [asyncio.create_task(door.put(received())) for _ in range(40)]
        await asyncio.sleep(0.05)
        for task in waiting[::2]:
            task.cancel()
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes[::2]] == [asyncio.CancelledError] * 20
    assert outcomes[1::2] == [None] * 20
    await door.put(received())
    assert len(await stand.rows(callbacks.callback)) == 41


async def test_a_row_the_database_refuses_fails_alone(
    stand: Any,
    door: Intake,
    received: Callable[..., Received],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store = callbacks.store

    async def refusing(tx: Any, batch: Any, room: bool) -> Any:
        if any(one.nudge.provider_payment_id == "bad" for one in batch):
            raise ValueError("the data are at fault")
        return await store(tx, batch, room)

    monkeypatch.setattr(callbacks, "store", refusing)
    puts = [door.put(received("bad" if n == 5 else None)) for n in range(12)]
    outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(Unavailable) == 1
    assert isinstance(outcomes[5], Unavailable)
    assert len(await stand.rows(callbacks.callback)) == 11


async def test_an_outage_fails_all_who_wait_and_is_got_over(
    stand: Any,
    door: Intake,
    received: Callable[..., Received],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = 0

    async def down(*_args: Any) -> Any:
        nonlocal calls
        calls += 1
        raise ConnectionRefusedError("as told")

    with monkeypatch.context() as patched:
        patched.setattr(callbacks, "store", down)
        puts = (door.put(received()) for _ in range(64))
        outcomes = await asyncio.gather(*puts, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unavailable}
    assert calls <= 4, "an outage is not tried row by row"
    await door.put(received())
    assert len(await stand.rows(callbacks.callback)) == 1


async def test_a_real_outage_of_the_database_is_unavailable(
    clock: ManualClock, received: Callable[..., Received]
) -> None:
    gone = open_database("postgresql+asyncpg://postgres@127.0.0.1:1/nowhere")
    door = Intake(gone, clock)
    async with door.running():
        with pytest.raises(Unavailable):
            await door.put(received())
    await gone.close()


async def test_a_connection_that_the_server_has_closed_is_replaced(
    stand: Any, db: Database, door: Intake, received: Callable[..., Received]
) -> None:
    await asyncio.gather(*(door.put(received()) for _ in range(64)))
    if db.postgres:
        async with db.engine.connect() as connection:
            others = "datname = current_database() AND pid <> pg_backend_pid()"
            closed = f"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE {others}"
            assert (await connection.execute(text(closed))).scalar_one() >= 1
        await asyncio.sleep(0.2)
    await asyncio.gather(*(door.put(received()) for _ in range(64)))
    assert len(await stand.rows(callbacks.callback)) == 128


async def test_a_full_queue_is_said_at_once(
    db: Database,
    clock: ManualClock,
    received: Callable[..., Received],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "QUEUE_MAX", 3)
    door = Intake(db, clock)
    waiting = [asyncio.create_task(door.put(received())) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await door.put(received())
    async with door.running():
        await asyncio.gather(*waiting)


async def test_what_is_queued_at_the_end_is_stored(
    stand: Any, db: Database, clock: ManualClock, received: Callable[..., Received]
) -> None:
    door = Intake(db, clock)
    async with door.running():
        waiting = [asyncio.create_task(door.put(received())) for _ in range(50)]
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    assert len(await stand.rows(callbacks.callback)) == 50


async def test_batches_are_small_and_two_at_a_time(
    door: Intake, received: Callable[..., Received], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, sizes, running = callbacks.store, [], [0, 0]

    async def counting(tx: Any, batch: Any, room: bool) -> Any:
        sizes.append(len(batch))
        running[0] += 1
        running[1] = max(running)
        try:
            return await store(tx, batch, room)
        finally:
            running[0] -= 1

    monkeypatch.setattr(callbacks, "store", counting)
    await asyncio.gather(*(door.put(received()) for _ in range(200)))
    assert max(sizes) == 32
    assert len(sizes) <= 12
    assert running[1] <= 2


async def test_unknown_payments_have_a_daily_allowance(
    stand: Any,
    door: Intake,
    clock: ManualClock,
    received: Callable[..., Received],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "FOREIGN_A_DAY_MAX", 5)
    begun = await stand.wish()
    stored = [received() for _ in range(5)]
    for one in stored:
        await door.put(one)
    with pytest.raises(Unavailable):
        await door.put(received())
    await door.put(stored[0])
    await door.put(received(begun.payment.provider_payment_id))
    assert len(await stand.rows(callbacks.callback)) == 6
    clock.advance(intake.timedelta(days=1))
    await door.put(received())
    assert len(await stand.rows(callbacks.callback)) == 7


async def test_the_allowance_is_shared_by_replicas(
    db: Database,
    clock: ManualClock,
    received: Callable[..., Received],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(intake, "FOREIGN_A_DAY_MAX", 3)
    one, other = Intake(db, clock), Intake(db, clock)
    async with one.running(), other.running():
        for _ in range(3):
            await one.put(received())
        with pytest.raises(Unavailable):
            await other.put(received())
