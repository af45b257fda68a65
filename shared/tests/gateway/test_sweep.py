"""Sweeps over the provider's lists: by Moscow day, page by page, and nothing is believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.gateway import sweep, sweeps, verifying
from shared.gateway.differences import difference
from shared.gateway.provider import Kind, Page, Refused, Status, Throttled, Unclear
from shared.gateway.sweeps import Task

SHOP = "yookassa:100500"
DAY = date(2026, 11, 21)
BEGINS = datetime(2026, 11, 20, 21, tzinfo=UTC)
NOON = BEGINS + timedelta(hours=12)
TASK = Task(SHOP, Kind.PAYMENT, DAY)
ORDER = b'{"payment_id":"%s","amount":65000,"parts":[["100245",65000]]}'


class Night:
    """A gateway whose lists are compared."""

    def __init__(self, stand: Any) -> None:
        self.stand = stand
        self.gateway = stand.gateway
        self.provider = stand.provider

    def only_there(self, moment: datetime = NOON) -> str:
        made = moment - timedelta(minutes=1)
        paid: str = self.provider.add(ORDER % str(uuid4()).encode(), created_at=made)
        self.provider.pay(paid, paid_at=moment)
        return paid

    async def on_both_sides(self, moment: datetime = NOON) -> str:
        paid = self.only_there(moment)
        await self.stand.callback(paid)
        return paid

    async def run(self, task: Task = TASK) -> Any:
        """Go through a day until it is finished or the provider does not answer."""
        while (step := await sweep.advance(self.gateway, task, BEGINS)) is not None:
            if step.failed is not None:
                return step
        return None

    async def ask(self) -> None:
        while await verifying.step(self.gateway):
            await self.gateway.polls.drain()
        await self.gateway.polls.drain()

    async def found(self, state: str = "open") -> dict[str, str]:
        rows = await self.stand.rows(difference)
        return {row.provider_id: row.name for row in rows if row.state == state}

    async def row(self) -> Any:
        (row,) = await self.stand.rows(sweeps.sweep)
        return row


@pytest.fixture
def night(stand: Any, monkeypatch: pytest.MonkeyPatch) -> Night:
    for module in ("differences", "verifying", "sweep"):
        monkeypatch.setattr(
            f"shared.gateway.{module}.alarm", lambda kind, **what: stand.alarms.append(kind)
        )
    return Night(stand)


async def test_a_day_on_which_both_agree(night: Night) -> None:
    for _ in range(3):
        await night.on_both_sides()
    night.provider.page_size = 2
    pages = night.provider.pages
    await night.run()
    row = await night.row()
    assert (row.listed, row.matched, row.differences, row.amount_kopecks) == (3, 3, 0, 195_000)
    assert row.finished_at is not None
    assert night.provider.pages - pages == 2, "who agrees is read once"
    assert await night.found() == {}


async def test_what_is_found_only_there_is_asked_for_and_credited(night: Night) -> None:
    lost = night.only_there()
    await night.on_both_sides()
    await night.run()
    assert await night.found() == {lost: "missing_here"}
    assert len(await night.stand.said()) == 1
    await night.ask()
    assert await night.found() == {}
    assert await night.found("settled") == {lost: "missing_here"}
    assert {event.subject for event in await night.stand.said()} >= {lost}
    assert len(await night.stand.said()) == 2
    await night.run()
    assert len(await night.stand.said()) == 2


async def test_a_list_is_not_believed(night: Night) -> None:
    lost = night.only_there()
    lie = replace(night.provider.made[lost], amount_kopecks=99_900_000)
    night.provider.lists = [Page([lie], None)]
    await night.run()
    await night.ask()
    (event,) = await night.stand.said()
    assert event.data["amount_kopecks"] == 65_000


async def test_what_is_older_than_the_cutover_is_only_listed(
    db: Any, make_stand: Callable[..., Any]
) -> None:
    night = Night(make_stand(db, cutover_at=NOON + timedelta(days=1)))
    lost = night.only_there()
    await night.run()
    await night.ask()
    assert await night.stand.said() == []
    assert await night.found("settled") == {lost: "missing_here"}


async def test_a_success_that_nobody_told_us_of(night: Night) -> None:
    begun = await night.stand.wish()
    provider_id = begun.payment.provider_payment_id
    night.provider.pay(provider_id, paid_at=NOON)
    await night.run()
    assert await night.found() == {provider_id: "status"}
    await night.ask()
    assert await night.found() == {}
    assert len(await night.stand.said()) == 1


async def test_a_success_of_ours_that_is_gone_there(night: Night) -> None:
    gone = await night.on_both_sides()
    kept = await night.on_both_sides()
    del night.provider.made[gone]
    await night.run()
    assert await night.found() == {gone: "missing_there"}
    await night.ask()
    assert await night.found() == {gone: "missing_there"}
    (row,) = await night.stand.rows(difference)
    assert (row.outcome, row.expected) == ("unknown_to_provider", "650.00")
    assert kept not in await night.found()


async def test_a_list_that_lags_is_no_difference_once_the_provider_is_asked(night: Night) -> None:
    late = await night.on_both_sides()
    night.provider.lists = [Page([], None), Page([], None)]
    await night.run()
    assert await night.found() == {late: "missing_there"}
    await night.ask()
    assert await night.found("settled") == {late: "missing_there"}


async def test_the_day_is_moscows_with_a_margin_for_the_clocks(night: Night) -> None:
    second = timedelta(seconds=1)
    inside = [BEGINS - second, BEGINS, BEGINS + timedelta(days=1) - second]
    margin = [BEGINS + timedelta(days=1), BEGINS - sweep.SKEW]
    outside = [BEGINS - sweep.SKEW - second, BEGINS + timedelta(days=1) + sweep.SKEW + second]
    for moment in (*inside, *margin, *outside):
        await night.on_both_sides(moment)
    await night.run()
    row = await night.row()
    assert (row.listed, row.matched, row.differences) == (5, 2, 0)


async def test_paid_after_midnight_counts_for_the_day_it_was_paid_on(night: Night) -> None:
    paid = night.only_there(BEGINS + timedelta(seconds=30))
    assert night.provider.made[paid].created_at < BEGINS
    await night.run()
    assert await night.found() == {paid: "missing_here"}


@pytest.mark.parametrize("failure", [Unclear("timeout"), Throttled(), Refused("denied", ours=True)])
async def test_a_sweep_goes_on_where_it_was_stopped(night: Night, failure: Any) -> None:
    for _ in range(5):
        await night.on_both_sides()
    night.provider.page_size = 2
    night.provider.lists = [None, failure]
    step = await night.run()
    assert step.failed is failure
    row = await night.row()
    assert (row.listed, row.cursor, row.finished_at) == (2, "2", None)
    assert await night.run() is None, "not before the pause is over"
    night.stand.clock.advance(timedelta(seconds=3))
    pages = night.provider.pages
    await night.run()
    row = await night.row()
    assert (row.listed, row.matched) == (5, 5)
    assert row.finished_at is not None
    assert night.provider.pages - pages == 2
    assert ("sweep_refused" in night.stand.alarms) == isinstance(failure, Refused)


async def test_a_place_in_the_list_that_is_forgotten_begins_anew(night: Night) -> None:
    for _ in range(3):
        await night.on_both_sides()
    night.provider.page_size = 2
    night.provider.lists = [None, Refused("invalid_request", "cursor")]
    await night.run()
    night.stand.clock.advance(timedelta(seconds=3))
    await night.run()
    row = await night.row()
    assert (row.listed, row.matched) == (3, 3)


async def test_what_cannot_be_read_leaves_a_sweep_incomplete(night: Night) -> None:
    await night.on_both_sides()
    night.provider.lists = [Page([], None, unreadable=1)]
    await night.run()
    async with sweep.reading(night.gateway.db) as tx:
        found = await sweeps.find(tx, TASK)
    assert found is not None
    assert (found.state, found.unreadable) == ("incomplete", 1)
    assert "sweep_incomplete" in night.stand.alarms
    assert await night.found() == {}, "who is missing from half a list is not missing"


async def test_two_replicas_never_take_the_same_page(night: Night) -> None:
    for _ in range(3):
        await night.on_both_sides()

    async def meanwhile(*given: Any) -> Any:
        assert await sweep.advance(night.gateway, TASK, BEGINS) is None
        return await original(*given)

    original = night.provider.captured
    night.provider.captured = meanwhile
    await night.run()
    assert (await night.row()).listed == 3


async def test_whoever_lost_the_lease_writes_nothing(night: Night) -> None:
    lost = night.only_there()

    async def slow(*given: Any) -> Any:
        night.provider.captured = original
        night.stand.clock.advance(timedelta(minutes=1))
        await night.run()
        return await original(*given)

    original = night.provider.captured
    night.provider.captured = slow
    await night.run()
    assert (await night.row()).listed == 1
    assert await night.found() == {lost: "missing_here"}


async def test_each_night_takes_the_day_before_and_three_days_back(
    db: Any, make_stand: Callable[..., Any]
) -> None:
    stand = make_stand(db, sweep_at=time(4, 30))
    stand.clock.advance(timedelta(hours=16))  # half past four in Moscow, an hour before
    while await sweep.nightly(stand.gateway):
        pass
    assert {row.day for row in await stand.rows(sweeps.sweep)} == {
        date(2026, 11, 21),
        date(2026, 11, 19),
    }
    pages = stand.provider.pages
    assert await sweep.nightly(stand.gateway) is False
    assert stand.provider.pages == pages, "once a night"
    stand.clock.advance(timedelta(hours=1))
    while await sweep.nightly(stand.gateway):
        pass
    days = {row.day for row in await stand.rows(sweeps.sweep)}
    assert days >= {date(2026, 11, 22), date(2026, 11, 20)}


async def test_a_sweep_can_be_switched_off(stand: Any) -> None:
    assert await sweep.nightly(stand.gateway) is False
    assert await stand.rows(sweeps.sweep) == []


async def test_refunds_of_the_day(night: Night) -> None:
    paid = await night.on_both_sides()
    night.provider.clock = lambda: NOON
    unasked = night.provider.send_back(paid, 5_000)
    night.provider.refund_ends = [Status.PENDING, Status.CANCELED]
    night.provider.send_back(paid, 6_000)
    night.provider.send_back(paid, 7_000)
    task = replace(TASK, kind=Kind.REFUND)
    await night.run(task)
    assert await night.found() == {unasked: "missing_here"}
    await night.ask()
    assert await night.found() == {}
    (said,) = await night.stand.said("refund.succeeded")
    assert (said.subject, said.data["amount_kopecks"]) == (unasked, 5_000)
    row = await night.row()
    assert (row.kind, row.listed, row.amount_kopecks) == ("refund", 1, 5_000)
    del night.provider.refunds[unasked]
    await sweep.advance(night.gateway, task, night.stand.clock() + timedelta(seconds=1))
    assert await night.found() == {unasked: "missing_there"}


async def test_a_canceled_payment_is_in_no_list(night: Night) -> None:
    await night.on_both_sides()
    begun = await night.stand.wish()
    night.provider.cancel(begun.payment.provider_payment_id)
    await night.run()
    assert (await night.row()).listed == 1
    assert night.provider.made[begun.payment.provider_payment_id].status is Status.CANCELED
