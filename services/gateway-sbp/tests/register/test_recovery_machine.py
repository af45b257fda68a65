"""Payments by codes on paper, callbacks lost or late, registers in any order, against a model.

What has been paid is the model. At no moment more may be credited to anybody than was paid, and
once a register has told of everything and the callbacks are over, exactly that.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from shutil import copy
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gateway_sbp import papers
from gateway_sbp.migrations import SCHEMAS
from gateway_sbp.paper_rows import CALLBACKS_END_AFTER, GRACE
from sbp_books import MINUTE, NOON, SECOND, SHOP, Line, Place, make_place, register
from shared.db import open_database, transaction

CONTRACTS = ("100245", "Л/С 7")
AMOUNTS = ("350.50", "100.00")
OVER = CALLBACKS_END_AFTER + GRACE
TABLES = [table for schema in SCHEMAS for table in schema.sorted_tables]
FEW = settings(
    max_examples=12,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


@dataclass(frozen=True)
class Paid:
    """A payment as it truly was."""

    name: str
    contract: str
    amount: str
    at: datetime

    @property
    def kopecks(self) -> int:
        return int(self.amount.replace(".", ""))

    @property
    def order(self) -> str:
        return papers.order_for(self.contract)

    @property
    def qr(self) -> str:
        return f"AS{CONTRACTS.index(self.contract):030d}"

    @property
    def line(self) -> Line:
        return Line(at=self.at, amount=self.amount, order=self.order, qr=self.qr)


class Machine(RuleBasedStateMachine):
    """The model and the gateway, side by side."""

    prepared: ClassVar[Path | str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = TemporaryDirectory()
        self.paid: list[Paid] = []
        self.place: Place | None = None

    @initialize()
    def begin(self) -> None:
        url = self.prepared
        if isinstance(url, Path):
            url = f"sqlite+aiosqlite:///{copy(url, Path(self.folder.name) / 'sbp.db')}"
        self.gateway = self.place = make_place(open_database(url))
        self.run(self._prepare())

    async def _prepare(self) -> None:
        async with transaction(self.gateway.gateway.db) as tx:
            for table in TABLES:
                await tx.execute(table.delete())
            # A contract whose number is no order is known by its code alone.
            for contract in CONTRACTS:
                paid = Paid("", contract, "0.00", NOON)
                code = {"shop": SHOP, "order_id": paid.order, "contract": contract}
                rest = {"qr_id": paid.qr, "payload": "https://qr.nspk.ru/", "created_at": NOON}
                await tx.execute(papers.static_code.insert().values(**code, **rest))

    def run(self, what: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(what)

    @rule(contract=st.sampled_from(CONTRACTS), amount=st.sampled_from(AMOUNTS))
    def pay(self, contract: str, amount: str) -> None:
        self.gateway.clock.advance(timedelta(milliseconds=1))
        name = str(900_000 + len(self.paid))
        self.paid.append(Paid(name, contract, amount, self.gateway.clock()))

    @precondition(lambda self: self.paid)
    @rule(data=st.data(), times=st.integers(1, 2))
    def callback(self, data: st.DataObject, times: int) -> None:
        one = data.draw(st.sampled_from(self.paid))
        for _ in range(times):
            told = self.gateway.callback(one.name, one.at, one.kopecks, one.order, one.qr)
            self.run(told)

    @precondition(lambda self: self.paid)
    @rule(data=st.data(), times=st.integers(1, 2))
    def register(self, data: st.DataObject, times: int) -> None:
        """A file of some period: of its minutes it holds whatever was paid until now."""
        minutes = sorted({one.at.replace(second=0, microsecond=0) for one in self.paid})
        first, last = sorted(data.draw(st.sampled_from(minutes)) for _ in range(2))
        lines = [one.line for one in self.paid if first <= one.at < last + MINUTE]
        lines = data.draw(st.permutations(lines))
        for _ in range(times):
            self.run(self.gateway.read(register(lines)))

    @rule(by=st.sampled_from([20 * SECOND, MINUTE, 60 * MINUTE, OVER - 60 * MINUTE, 2 * OVER]))
    def pass_time(self, by: timedelta) -> None:
        self.run(self.gateway.pass_time(by))

    @rule()
    def recover(self) -> None:
        self.run(self.gateway.recover())

    @invariant()
    def nobody_has_more_than_was_paid(self) -> None:
        if self.place is not None:
            assert not self._credited() - self._truth()

    def teardown(self) -> None:
        if self.place is not None:
            lines = [one.line for one in self.paid]
            self.run(self.gateway.read(register(lines)))
            self.run(self.gateway.pass_time(OVER + MINUTE))
            assert self._credited() == self._truth()
            # Whatever comes afterwards was known already.
            for one in self.paid:
                told = self.gateway.callback(one.name, one.at, one.kopecks, one.order, one.qr)
                self.run(told)
            self.run(self.gateway.pass_time(OVER))
            assert self._credited() == self._truth()
            self.run(self.gateway.gateway.db.close())
        self.loop.close()
        self.folder.cleanup()

    def _truth(self) -> Counter[tuple[str, int]]:
        return Counter((one.contract, one.kopecks) for one in self.paid)

    def _credited(self) -> Counter[tuple[str, int]]:
        events = self.run(self.gateway.said())
        return Counter((event.data["contract"], event.data["amount_kopecks"]) for event in events)


def test_on_sqlite(sqlite_prepared: Path) -> None:
    Machine.prepared = sqlite_prepared
    run_state_machine_as_test(Machine, settings=FEW)  # type: ignore[no-untyped-call]


@pytest.mark.connected
@pytest.mark.postgres
def test_on_postgres(postgres_prepared: str) -> None:
    Machine.prepared = postgres_prepared
    run_state_machine_as_test(Machine, settings=FEW)  # type: ignore[no-untyped-call]
