"""Blocks: who is cut off when, what spares them, and that money lets them in at once."""

import asyncio
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from core_billing import block_job, block_rows, consumer, terms
from core_billing.accounts import account, balance
from core_billing.block_job import Job
from core_billing.policies import BLOCK, BLOCK_CALENDAR
from core_billing.policy_rows import policy
from shared import inbox
from shared.db import reading, transaction
from shared.events import Allocation, Event, PaymentCanceled, PaymentSucceeded
from shared.events_billing import GatewayAlive, PaymentPending
from shared.metrics import ALARMS
from shared.outbox import outbox

PROVIDER = "yookassa:100500"
GATEWAY = "gateway-yookassa"
MINUTE = timedelta(minutes=1)


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

    def __init__(self, books: Any) -> None:
        self.books = books
        self.bus = True
        self.job = Job(books.core, lambda: self.bus)
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
        await block_job.step(self.job)
        await self.pump()
        await block_job.step(self.job)

    async def blocked(self) -> set[str]:
        async with reading(self.books.db) as tx:
            return {one.number for one in await block_rows.blocked(tx, 0, 1000)}

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


@pytest.fixture
def desk(books: Any) -> Desk:
    return Desk(books)


def withheld() -> float:
    return float(ALARMS.labels("blocks_withheld")._value.get())


async def test_who_owes_is_cut_off_and_let_in_with_the_money(books: Any, desk: Desk) -> None:
    await books.open(
        books.asked("A", "-0.01"),
        books.asked("B", "0.00"),
        books.asked("C", "-10.00", credit_limit="10.00"),
        books.asked("D", "-10.00", credit_limit="9.99"),
    )
    await desk.step()
    assert await desk.told() == [
        ("A", "blocked", 1, "below_zero"),
        ("D", "blocked", 1, "below_zero"),
    ]
    await desk.step()
    assert await desk.blocked() == {"A", "D"}
    await desk.take(heard(PaymentSucceeded, "p1", books.clock(), ("A", 1), paid_at=books.clock()))
    assert await desk.blocked() == {"D"}
    events = await books.said("payment.posted", "contract.unblocked")
    assert [e["type"] for e in events] == ["payment.posted", "contract.unblocked"]
    assert {e["correlationid"] for e in events} == {"c-1"}
    assert (await desk.told())[-1] == ("A", "unblocked", 2, "covered")
    async with reading(books.db) as tx:
        tied = select(account.c.name).join(balance, balance.c.account_id == account.c.id)
        names = (await tx.execute(tied.where(balance.c.tied))).scalars()
        assert list(names) == ["contract:D"]


async def test_part_of_the_debt_does_not_let_in(books: Any, desk: Desk) -> None:
    await desk.rule(BLOCK, mode="above_sum", sum="5.00")
    await books.open(books.asked("A", "-5.01"), books.asked("B", "-5.00"))
    await desk.step()
    assert await desk.blocked() == {"A"}
    await books.arrive(books.paid("p1", 500, ("A", 500)))
    assert await desk.blocked() == {"A"}
    await books.arrive(books.paid("p2", 1, ("A", 1)))
    assert await desk.blocked() == set()
    assert [one[2] for one in await desk.told()] == [1, 2]


async def test_rules_of_the_contract_its_group_and_the_calendar(books: Any, desk: Desk) -> None:
    await desk.rule(BLOCK, "group:patient", mode="after_days", days=2)
    await desk.rule(BLOCK_CALENDAR, minimum_debt="2.00", dates=["2026-11-24"])
    opened = await books.open(
        *(books.asked(name, "-9.00") for name in ("never", "patient", "plain")),
        books.asked("little", "-1.99"),
    )
    ids = {one.number: one.id for one in await books.contracts()}
    row = {"revision": 1, "changed_by": "x", "charging": "advance", "priority": 1}
    row |= {"automatic_promise": False}
    async with transaction(books.db) as tx:
        for name, group, rule in (
            ("never", "default", {"mode": "never"}),
            ("patient", "patient", None),
        ):
            own = {"contract_id": ids[name], "group_name": group, "block_rule": rule, **row}
            await tx.execute(insert(terms.terms).values(**own))
    assert len(opened) == 4
    await desk.step()
    assert await desk.blocked() == {"plain"}
    # Monday 23: a day; Tuesday 24 would be the second, but nobody is cut off then.
    for _ in range(2):
        await desk.step(after=timedelta(days=1))
        assert await desk.blocked() == {"plain"}
    await desk.step(after=timedelta(days=1))
    assert await desk.blocked() == {"plain", "patient"}
    assert (await desk.told())[-1] == ("patient", "blocked", 1, "after_days")
    async with transaction(books.db) as tx:
        await tx.execute(
            update(terms.terms)
            .where(terms.terms.c.contract_id == ids["patient"])
            .values(block_rule={"mode": "never"})
        )
    await desk.step()
    assert (await desk.told())[-1] == ("patient", "unblocked", 2, "exempt")


async def test_closed_contracts_are_left_alone(books: Any, desk: Desk) -> None:
    await books.open(books.asked("A", "-5.00"))
    async with transaction(books.db) as tx:
        await tx.execute(update(balance).values(open=False))
    await desk.step()
    assert await desk.told() == []


async def test_days_are_counted_anew_after_money(books: Any, desk: Desk) -> None:
    await desk.rule(BLOCK, mode="after_days", days=2)
    await books.open(books.asked("A", "-5.00"))
    await desk.step()
    await books.arrive(books.paid("p1", 500, ("A", 500)))
    await desk.step(after=timedelta(days=1))
    async with transaction(books.db) as tx:
        await tx.execute(update(balance).values(kopecks=-1))
    await desk.step()
    await desk.step(after=timedelta(days=1))
    assert await desk.blocked() == set()
    await desk.step(after=timedelta(days=1))
    assert await desk.blocked() == {"A"}


class TestPending:
    """A payment that its payer has confirmed postpones a block, once."""

    async def test_once_and_by_half_an_hour(self, books: Any, desk: Desk) -> None:
        await books.open(books.asked("A", "-5.00"), books.asked("B", "-5.00"))
        await desk.take(heard(PaymentPending, "p1", books.clock(), ("A", 100)))
        await desk.step()
        assert await desk.blocked() == {"B"}
        await desk.take(heard(PaymentPending, "p2", books.clock() + 20 * MINUTE, ("A", 100)))
        await desk.step(after=29 * MINUTE)
        assert await desk.blocked() == {"B"}
        await desk.take(heard(PaymentPending, "p3", books.clock(), ("A", 100)))
        await desk.step(after=MINUTE)
        assert await desk.blocked() == {"A", "B"}

    async def test_again_after_one_has_arrived(self, books: Any, desk: Desk) -> None:
        await books.open(books.asked("A", "-5.00"))
        await desk.take(heard(PaymentPending, "p1", books.clock(), ("A", 100)))
        await desk.step()
        books.clock.advance(31 * MINUTE)
        at = books.clock()
        await desk.take(
            heard(PaymentSucceeded, "p1", at, ("A", 100), paid_at=at),
            heard(PaymentPending, "p2", at, ("A", 400)),
        )
        await desk.step()
        assert await desk.blocked() == set()
        await desk.step(after=31 * MINUTE)
        assert await desk.blocked() == {"A"}

    async def test_not_by_one_that_is_posted_canceled_or_old(self, books: Any, desk: Desk) -> None:
        await books.open(*(books.asked(name, "-5.00") for name in "ABC"))
        at = books.clock()
        await desk.take(heard(PaymentSucceeded, "p1", at, ("A", 100), paid_at=at))
        await desk.take(
            *(heard(PaymentPending, f"p{n + 1}", at, (c, 9)) for n, c in enumerate("ABC"))
        )
        await desk.take(heard(PaymentCanceled, "p2", at, ("B", 9)))
        await desk.step()
        assert await desk.blocked() == {"A", "B"}
        await desk.take(heard(PaymentPending, "p9", at, ("nobody", 9)))


class TestGuards:
    """Nobody is cut off while money may be on its way."""

    async def test_nobody_at_the_start(self, books: Any, desk: Desk) -> None:
        await books.open(books.asked("A", "-5.00"))
        before = withheld()
        await desk.step(quiet=True)
        await desk.step(quiet=True)
        assert await desk.blocked() == set()
        assert withheld() == before + 1
        await desk.step(quiet=True, after=MINUTE)
        assert withheld() == before + 2
        await desk.step()
        assert await desk.blocked() == {"A"}

    async def test_a_gateway_is_silent_or_behind(self, books: Any, desk: Desk) -> None:
        await books.open(books.asked("A", "-5.00"))
        await desk.take(alive(books.clock()))
        await desk.step(quiet=True, after=5 * MINUTE)
        assert await desk.blocked() == set()
        for behind in ({"unsettled_seconds": 300}, {"unpublished_seconds": 300}):
            books.clock.advance(MINUTE)
            await desk.take(alive(books.clock(), **behind))
            await desk.step(quiet=True)
            assert await desk.blocked() == set()
        # What was said before and comes late does not speak for now.
        await desk.take(alive(books.clock() - MINUTE / 2))
        await desk.step(quiet=True)
        assert await desk.blocked() == set()
        books.clock.advance(MINUTE)
        await desk.take(alive(books.clock(), unsettled_seconds=299, unpublished_seconds=299))
        await desk.step(quiet=True)
        assert await desk.blocked() == {"A"}

    async def test_a_sign_that_was_long_on_its_way(self, books: Any, desk: Desk) -> None:
        await books.open(books.asked("A", "-5.00"))
        late = alive(books.clock())
        books.clock.advance(MINUTE + timedelta(seconds=1))
        await desk.take(late)
        await desk.step(quiet=True)
        assert await desk.blocked() == set()

    async def test_the_bus_is_away(self, books: Any, desk: Desk) -> None:
        await books.open(books.asked("A", "-5.00"))
        desk.bus = False
        await desk.step()
        assert await desk.blocked() == set()
        desk.bus = True
        await desk.step()
        assert await desk.blocked() == {"A"}

    async def test_our_own_queue_does_not_move(self, books: Any, desk: Desk) -> None:
        await books.open(books.asked("A", "-5.00"))
        await desk.take(alive(books.clock()))
        before = withheld()
        await block_job.step(desk.job)
        assert (await desk.blocked(), withheld()) == (set(), before)
        books.clock.advance(MINUTE + timedelta(seconds=1))
        await desk.take(alive(books.clock()))
        await block_job.step(desk.job)
        assert (await desk.blocked(), withheld()) == (set(), before + 1)
        assert len(await books.said(GatewayAlive.TYPE)) > 1
        await desk.pump()
        await block_job.step(desk.job)
        assert await desk.blocked() == {"A"}

    async def test_money_lets_in_whatever_is_withheld(self, books: Any, desk: Desk) -> None:
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


async def test_two_replicas_say_it_once(books: Any, desk: Desk) -> None:
    await books.open(*(books.asked(f"N{n}", "-5.00") for n in range(20)))
    await desk.take(alive(books.clock()))
    await block_job.step(desk.job)
    await desk.pump()
    await asyncio.gather(*(block_job.step(desk.job) for _ in range(4)))
    await block_job.step(desk.job)
    assert len(await desk.blocked()) == 20
    assert [one[1:3] for one in await desk.told()] == [("blocked", 1)] * 20


async def test_money_that_comes_while_it_is_decided_wins(books: Any, desk: Desk) -> None:
    """Payments and the job race for the same contracts; who has money is never left blocked."""
    numbers = [f"N{n}" for n in range(8)]
    await books.open(*(books.asked(number, "-1.00") for number in numbers))
    await desk.take(alive(books.clock()))
    await block_job.step(desk.job)
    await desk.pump()

    async def pay(number: str) -> None:
        for n in range(3):
            await books.arrive(books.paid(f"{number}-{n}", 50, (number, 50)))

    async def cut() -> None:
        for _ in range(6):
            await block_job.step(desk.job)

    await asyncio.gather(cut(), cut(), *map(pay, numbers))
    assert set((await books.balances()).values()) >= {50}
    assert await desk.blocked() == set()
    for number in numbers:
        mine = [one for one in await desk.told() if one[0] == number]
        assert [one[2] for one in mine] == list(range(1, len(mine) + 1))
        assert [one[1] for one in mine] == ["blocked", "unblocked"] * (len(mine) // 2)
