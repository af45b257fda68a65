"""Nobody is cut off while money may be on its way that we have not heard of."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from core_billing import block_job, blocks
from core_billing.accounts import balance
from core_billing.block_guards import Guard, Withheld, gateways, withheld
from core_billing.life import Sign
from shared.db import transaction
from shared.events_billing import GatewayAlive

MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OWN, ONE = "core-billing", "gateway-sbp"
HERE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


def sign(name: str, said: timedelta, lag: timedelta = SECOND, **more: Any) -> Sign:
    return Sign(name, NOW - said, NOW - said + lag, **more)


@pytest.mark.parametrize(
    ("mine", "theirs", "guard"),
    [
        (sign(OWN, MINUTE), sign(ONE, 5 * MINUTE - SECOND), None),
        (sign(OWN, MINUTE + SECOND), sign(ONE, SECOND), Guard.QUEUE_ASKED),
        (None, sign(ONE, SECOND), Guard.QUEUE_ASKED),
        (Sign(OWN, None, None, asked_at=NOW - MINUTE), sign(ONE, SECOND), Guard.QUEUE_ASKED),
        (
            Sign(OWN, None, None, asked_at=NOW - MINUTE - SECOND),
            sign(ONE, SECOND),
            Guard.MONEY_QUEUE,
        ),
        (sign(OWN, 2 * MINUTE, 91 * SECOND), sign(ONE, SECOND), Guard.MONEY_QUEUE),
        (sign(OWN, SECOND), None, Guard.GATEWAY_SILENT),
        (sign(OWN, SECOND), sign(ONE, 5 * MINUTE), Guard.GATEWAY_SILENT),
        (sign(OWN, SECOND), sign(ONE, 2 * MINUTE, 61 * SECOND), Guard.MONEY_QUEUE),
        (sign(OWN, SECOND), sign(ONE, SECOND, unsettled_seconds=299), None),
        (sign(OWN, SECOND), sign(ONE, SECOND, unsettled_seconds=300), Guard.GATEWAY_BEHIND),
        (sign(OWN, SECOND), sign(ONE, SECOND, unpublished_seconds=300), Guard.GATEWAY_BEHIND),
    ],
)
def test_to_the_second(mine: Sign | None, theirs: Sign | None, guard: Guard | None) -> None:
    signs = {one.name: one for one in (mine, theirs) if one is not None}
    found = withheld(OWN, [OWN, ONE, "notifier"], signs, NOW, bus=True)
    assert [one.guard for one in found] == ([] if guard is None else [guard])
    away = withheld(OWN, [OWN, ONE, "notifier"], signs, NOW, bus=False)
    assert away == [Withheld(Guard.BUS_AWAY, OWN), *found]


def test_gateways_are_known_by_their_names() -> None:
    deployed = {"core-billing", "notifier", "gateway-yookassa", "gateway-terminal"}
    assert gateways(deployed) == ["gateway-terminal", "gateway-yookassa"]


@HERE
async def test_nobody_at_the_start(books: Any, desk: Any) -> None:
    await books.open(books.asked("A", "-5.00"))
    before = desk.withheld
    await desk.step(quiet=True)
    await desk.step(quiet=True, after=5 * MINUTE - SECOND)
    assert (await desk.blocked(), desk.withheld) == (set(), before)
    await desk.step(quiet=True, after=SECOND)
    await desk.step(quiet=True)
    assert desk.withheld == before + 1
    await desk.step(quiet=True, after=MINUTE)
    assert desk.withheld == before + 2
    await desk.step()
    assert await desk.blocked() == {"A"}


@HERE
async def test_a_gateway_is_silent_or_behind(books: Any, desk: Any) -> None:
    await books.open(books.asked("A", "-5.00"))
    await desk.take(desk.alive(books.clock()))
    await desk.step(quiet=True, after=5 * MINUTE)
    assert await desk.blocked() == set()
    for behind in ({"unsettled_seconds": 300}, {"unpublished_seconds": 300}):
        books.clock.advance(MINUTE)
        await desk.take(desk.alive(books.clock(), **behind))
        await desk.step(quiet=True)
        assert await desk.blocked() == set()
    # What was said before and comes late does not speak for now.
    await desk.take(desk.alive(books.clock() - MINUTE / 2))
    await desk.step(quiet=True)
    assert await desk.blocked() == set()
    books.clock.advance(MINUTE)
    await desk.take(desk.alive(books.clock(), unsettled_seconds=299, unpublished_seconds=299))
    await desk.step(quiet=True)
    assert await desk.blocked() == {"A"}


@HERE
async def test_a_sign_that_was_long_on_its_way(books: Any, desk: Any) -> None:
    await books.open(books.asked("A", "-5.00"))
    late = desk.alive(books.clock())
    books.clock.advance(MINUTE + timedelta(seconds=1))
    await desk.take(late)
    await desk.step(quiet=True)
    assert await desk.blocked() == set()


@HERE
async def test_the_bus_is_away(books: Any, desk: Any) -> None:
    await books.open(books.asked("A", "-5.00"))
    desk.bus = False
    await desk.step()
    assert await desk.blocked() == set()
    desk.bus = True
    await desk.step()
    assert await desk.blocked() == {"A"}


@HERE
async def test_each_page_asks_again(books: Any, desk: Any, monkeypatch: Any) -> None:
    await books.open(*(books.asked(f"N{n}", "-5.00") for n in range(6)))
    monkeypatch.setattr(block_job, "PAGE_MAX", 2)
    await desk.take(desk.alive(books.clock()))
    await block_job.step(desk.gate)
    await desk.pump()
    cut, said = blocks.block, []

    async def block(tx: Any, rules: Any, chosen: Any, at: datetime, correlation_id: str) -> Any:
        said.append(at)
        desk.bus = len(said) < 2
        books.clock.advance(SECOND)
        return await cut(tx, rules, chosen, at, correlation_id)

    monkeypatch.setattr(blocks, "block", block)
    await block_job.step(desk.gate)
    assert await desk.blocked() == {"N0", "N1", "N2", "N3"}
    assert said[1] - said[0] == SECOND


@HERE
async def test_our_own_queue_does_not_move(books: Any, desk: Any) -> None:
    await books.open(books.asked("A", "-5.00"))
    await desk.take(desk.alive(books.clock()))
    before = desk.withheld
    await block_job.step(desk.gate)
    assert (await desk.blocked(), desk.withheld) == (set(), before)
    books.clock.advance(MINUTE + timedelta(seconds=1))
    await desk.take(desk.alive(books.clock()))
    await block_job.step(desk.gate)
    assert (await desk.blocked(), desk.withheld) == (set(), before + 1)
    assert len(await books.said(GatewayAlive.TYPE)) > 1
    await desk.pump()
    await block_job.step(desk.gate)
    assert await desk.blocked() == {"A"}


@HERE
async def test_money_lets_in_whatever_is_withheld(books: Any, desk: Any) -> None:
    await books.open(books.asked("A", "-5.00"), books.asked("B", "-5.00"))
    await desk.step()
    books.clock.advance(timedelta(hours=1))
    desk.bus = False
    await books.arrive(books.paid("p1", 500, ("A", 500)))
    assert await desk.blocked() == {"B"}
    async with transaction(books.db) as tx:
        await tx.execute(update(balance).values(credit_limit_kopecks=500))
    await desk.step(quiet=True)
    assert await desk.blocked() == set()
