"""A lost event: what became of a charge is asked for again, and that charges nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from autopay import mandates, work
from autopay.case import State
from shared.db import reading
from shared.outbox_table import outbox

if TYPE_CHECKING:
    from conftest import Said, World

MINUTE = timedelta(minutes=1)


async def _asked_again(world: World) -> bool:
    """Have the charge asked for again if it is time; say whether that leaves, and let it leave."""
    await work.ask_again(world.autopay)
    async with reading(world.db) as tx:
        mine = outbox.c.type == "charge.requested"
        row = (await tx.execute(select(outbox.c.sent_at).where(mine))).one()
    if row.sent_at is None:
        await world.publish()
    return row.sent_at is None


async def test_a_charge_without_an_outcome_is_asked_for_again_once_it_is_dead(
    world: World, said: Said
) -> None:
    charge = await world.requested()
    await world.publish()
    world.clock.advance(world.RULES.not_after - MINUTE)
    assert not await _asked_again(world), "what may still be sent is not asked for twice"
    world.clock.advance(2 * MINUTE)
    assert await _asked_again(world)
    assert not await _asked_again(world), "not twice at once"
    await world.hear(said.failed(charge))
    world.clock.advance(timedelta(hours=2))
    assert not await _asked_again(world), "it has its outcome"


async def test_the_pauses_grow_and_an_unclear_charge_is_asked_for_too(light: World) -> None:
    await light.requested()
    await light.publish()
    moments = []
    begun = light.clock()
    for _ in range(3 * 60):
        light.clock.advance(MINUTE)
        await light.work()
        if await _asked_again(light):
            moments.append((light.clock() - begun) // MINUTE)
    assert moments == [11, 22, 44, 88, 176]
    assert (await light.charge()).state is State.UNCLEAR


async def test_a_request_that_waits_for_its_broker_is_not_said_again(light: World) -> None:
    await light.requested()
    light.clock.advance(timedelta(hours=1))
    await work.ask_again(light.autopay)
    async with reading(light.db) as tx:
        rows = (await tx.execute(select(outbox.c.due_at).where(outbox.c.sent_at.is_(None)))).all()
    assert all(row.due_at < light.clock() for row in rows), "nothing is due anew"


async def test_what_is_asked_for_again_is_not_taken_back_as_if_nobody_had_heard_it(
    light: World,
) -> None:
    """Refused between the asking and its leaving: it may have been charged all the same."""
    charge = await light.requested()
    await light.publish()
    light.clock.advance(light.RULES.not_after + MINUTE)
    await work.ask_again(light.autopay)
    async with reading(light.db) as tx:
        of = await mandates.of_contract(tx, light.NUMBER)
    assert of is not None
    await light.act("revoke", of, "subscriber")
    assert (await light.charge()).id == charge.id
    assert (await light.charge()).state is State.REQUESTED
    async with reading(light.db) as tx:
        left = await tx.execute(select(outbox.c.sent_at).where(outbox.c.type == "charge.requested"))
    assert left.one().sent_at is None, "it still leaves"
