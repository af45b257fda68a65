"""Refunds in any order, with faults: the reserve and what is said are the provider's truth."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.db import Database, open_database, transaction
from shared.errors import Invalid
from shared.events_gateway import RefundRequested
from shared.gateway import refunds, settling, work
from shared.gateway.provider import Refused, Status, Throttled, Unclear

BROUGHT = 10_000
KOPECKS = st.sampled_from([1, 2_500, 4_000, 6_000, BROUGHT, BROUGHT + 1])
ANSWERS = st.lists(
    st.sampled_from(["lost", Unclear("timeout"), Throttled(), Refused("invalid_request"), None]),
    max_size=3,
)
ENDS = st.sampled_from([Status.SUCCEEDED, Status.PENDING, Status.CANCELED])


class RefundMachine(RuleBasedStateMachine):
    """One payment; callers, the ledger and the profile take from it at will."""

    def __init__(self, db: Callable[[], Database], make_stand: Callable[..., Any]) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.run = self.runner.run
        self.db = db()
        self.stand = make_stand(self.db)
        self.provider = self.stand.provider
        self.ranks: dict[Any, int] = {}
        self.asked = 0

    @initialize()
    def a_payment_has_succeeded(self) -> None:
        self.paid = self.run(self.stand.paid(BROUGHT))

    @rule(kopecks=KOPECKS, answers=ANSWERS, end=ENDS)
    def a_caller_asks(self, kopecks: int, answers: list[Any], end: Status) -> None:
        self._expect(answers, end)
        left = BROUGHT - self._reserved()
        try:
            self.run(self.stand.ask(self.paid, kopecks))
        except Invalid:
            assert kopecks > left
        else:
            assert kopecks <= left

    @rule(kopecks=KOPECKS, answers=ANSWERS, end=ENDS, request=st.sampled_from("abc"))
    def the_ledger_asks(self, kopecks: int, answers: list[Any], end: Status, request: str) -> None:
        self._expect(answers, end)
        self.asked += 1
        body = RefundRequested(
            occurred_at=self.stand.clock(),
            refund_id=request,
            provider=self.paid.shop,
            provider_payment_id=self.paid.provider_payment_id,
            amount_kopecks=kopecks,
        )
        subject = f"{request}-{self.asked}"
        event = body.event("core-billing", subject=subject, revision=1, correlation_id="c")
        self.run(self.stand.hear(event))

    @rule(kopecks=KOPECKS, end=ENDS)
    def somebody_refunds_in_the_profile(self, kopecks: int, end: Status) -> None:
        if kopecks <= self.provider.left(self.paid.provider_payment_id):
            self.provider.refund_ends = [end]
            self.provider.send_back(self.paid.provider_payment_id, kopecks)

    @precondition(lambda self: self._pending())
    @rule(data=st.data(), end=st.sampled_from([Status.SUCCEEDED, Status.CANCELED]))
    def the_provider_ends_one(self, data: Any, end: Status) -> None:
        self.provider.end_refund(data.draw(st.sampled_from(self._pending())), end, "why")

    @precondition(lambda self: self.provider.refunds)
    @rule(data=st.data(), answer=st.sampled_from(["fresh", "stale", "none"]))
    def a_callback_comes(self, data: Any, answer: str) -> None:
        told = data.draw(st.sampled_from(sorted(self.provider.refunds)))
        stale = replace(self.provider.refunds[told], status=Status.PENDING, said="pending")
        answers = {"fresh": [], "stale": [stale], "none": [Unclear("timeout")]}
        self.provider.refund_fetches = answers[answer]
        self.run(self.stand.refund_callback(told, self.paid.provider_payment_id))

    @rule(seconds=st.sampled_from([1, 30, 600, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.run(self.stand.pass_time(timedelta(seconds=seconds)))

    @rule()
    def the_payment_is_looked_at(self) -> None:
        self.run(self._look())

    @invariant()
    def the_reserve_is_the_sum_of_what_lives(self) -> None:
        rows = self._rows()
        live = [row.amount_kopecks for row in rows if row.status != "canceled"]
        assert self._reserved() == sum(live)

    @invariant()
    def states_never_go_back(self) -> None:
        for row in self._rows():
            rank = Status(row.status).rank
            assert rank >= self.ranks.get(row.id, 0)
            self.ranks[row.id] = rank

    @invariant()
    def what_is_booked_is_the_providers_truth(self) -> None:
        done = [row for row in self._rows() if row.status == "succeeded"]
        for row in done:
            truth = self.provider.refunds[row.provider_refund_id]
            assert truth.status is Status.SUCCEEDED
            assert truth.amount_kopecks == row.amount_kopecks
        said = self.run(self.stand.said("refund.succeeded"))
        booked = {row.provider_refund_id: row.amount_kopecks for row in done}
        assert {event.subject: event.data["amount_kopecks"] for event in said} == booked
        assert len(said) == len(done)

    def teardown(self) -> None:
        """Let everything come to rest, look at the end of it, and close what was opened."""
        try:
            if hasattr(self, "paid"):
                self._come_to_rest()
                self._nothing_is_left_open()
        finally:
            self.run(self.db.close())
            self.runner.close()

    def _come_to_rest(self) -> None:
        self._expect([], Status.SUCCEEDED)
        self.provider.refund_fetches = []
        for refund_id in self._pending():
            self.provider.end_refund(refund_id, Status.SUCCEEDED)
        self.run(self._look())
        for _ in range(4):
            self.run(self.stand.pass_time(timedelta(hours=12)))

    def _nothing_is_left_open(self) -> None:
        self.what_is_booked_is_the_providers_truth()
        told = self.provider.refunds.values()
        gone = {r.id: r.amount_kopecks for r in told if r.status is Status.SUCCEEDED}
        rows = self._rows()
        assert {row.status for row in rows} <= {"succeeded", "canceled"}
        done = [row for row in rows if row.status == "succeeded"]
        assert {row.provider_refund_id: row.amount_kopecks for row in done} == gone
        assert self._reserved() == sum(gone.values()) <= BROUGHT
        keys = Counter(key for key, _ in set(self.provider.refunds_sent))
        assert set(keys.values()) <= {1}, "one key, one body"

    def _expect(self, answers: list[Any], end: Status) -> None:
        self.provider.refund_creates = list(answers)
        self.provider.refund_ends = [end]

    def _pending(self) -> list[str]:
        told = self.provider.refunds.values()
        return sorted(r.id for r in told if r.status is Status.PENDING)

    def _rows(self) -> list[Any]:
        rows: list[Any] = self.run(self.stand.rows(refunds.refund))
        return rows

    def _reserved(self) -> int:
        kopecks: int = self.run(self.stand.reserved(self.paid))
        return kopecks

    async def _look(self) -> None:
        """Do what a sweep does with a payment of the provider's list."""
        truth = self.provider.made[self.paid.provider_payment_id]
        async with transaction(self.db) as tx:
            told = settling.Truth(self.paid.shop, truth)
            await settling.absorb(tx, self.stand.gateway, [told], self.stand.clock())
        await self.stand.settle()


@pytest.fixture
def fresh(tmp_path: Path) -> Callable[[], Database]:
    """Open an empty SQLite database with the gateway's tables, as often as wanted."""
    template = tmp_path / "template.db"
    asyncio.run(_create(f"sqlite+aiosqlite:///{template}"))

    def copy() -> Database:
        mine = tmp_path / f"{uuid4().hex}.db"
        shutil.copy(template, mine)
        return open_database(f"sqlite+aiosqlite:///{mine}")

    return copy


async def _create(url: str) -> None:
    opened = open_database(url)
    async with transaction(opened) as tx:
        for schema in work.SCHEMAS:
            await tx.run_sync(schema.create_all)
    await opened.close()


def test_money_equals_the_providers_truth_in_any_order(
    fresh: Callable[[], Database], make_stand: Callable[..., Any]
) -> None:
    run_state_machine_as_test(
        lambda: RefundMachine(fresh, make_stand),
        settings=settings(max_examples=12, stateful_step_count=12, deadline=None),
    )
