"""Random days of an office: payments, corrections, transfers, promises, fees and blocks.

Everything is asked for by the API, as a manager asks, and compared after each step with a small
model that knows sums and nothing else.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select

from core_billing import block_job, fee_jobs, life, promise_jobs
from core_billing.accounts import account, balance
from core_billing.block_gate import Gate
from core_billing.block_rows import block
from core_billing.promise_rows import promise
from core_billing.web import api
from shared import problem
from shared.crypto import token_hash
from shared.db import reading, transaction
from shared.events_billing import GatewayAlive
from shared.money import Money
from shared.settings import ApiToken
from shared.topology import Topology

TOKENS = {token_hash("anna"): ApiToken(name="anna", scopes=("*",))}
NUMBERS = ("a", "b", "c", "d")
LIMITS = {"a": 0, "b": 20_000, "c": 0, "d": 5_000}
MONTHLY = {"a": 30_000, "b": 45_050}
"""Kopecks a month, charged in advance."""
DAILY = {"c": 31_000, "a": 9_999}
"""Kopecks a month, charged by the day."""
PROMISE_FEE = 500
KOPECKS = st.integers(1, 60_000)
NUMBER = st.sampled_from(NUMBERS)
WHICH = st.integers(0, 30)


@dataclass
class Paid:
    """A payment as the model sees it: what stands, and where."""

    path: str
    kopecks: int
    holder: str | None
    provider: bool
    revision: int = 1
    original: int = 0
    restore_to: str | None = None
    annulled: bool = False


@dataclass
class Served:
    """A service as the model sees it."""

    contract: str
    month_kopecks: int
    monthly: bool
    charged_through: date

    def due(self, day: date, resumed: date | None) -> int:
        """Return what is charged until a day, and remember that it was."""
        kopecks = 0
        skipped = (resumed or date.min) - timedelta(days=1) if resumed else self.charged_through
        self.charged_through = max(self.charged_through, skipped)
        while self.charged_through < day:
            kopecks += self.next_fee(self.charged_through + timedelta(days=1))
        return kopecks

    def next_fee(self, start: date) -> int:
        """Return the fee that begins on a day."""
        first = start.replace(day=1)
        length = ((first + timedelta(days=32)).replace(day=1) - first).days
        if self.monthly:
            self.charged_through = first.replace(day=length)
            days = length - start.day + 1
            return (2 * self.month_kopecks * days + length) // (2 * length)
        self.charged_through = start
        month = self.month_kopecks
        return month * start.day // length - month * (start.day - 1) // length


@dataclass
class Model:
    """Sums, and nothing else."""

    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    payments: list[Paid] = field(default_factory=list)
    services: list[Served] = field(default_factory=list)
    resumed: dict[str, date] = field(default_factory=dict)

    def place(self, one: Paid, kopecks: int, holder: str | None) -> None:
        """Put a payment's money where it now stands."""
        if one.holder is not None:
            self.balances[one.holder] -= one.kopecks
        one.kopecks, one.holder = kopecks, holder
        one.revision += 1
        if holder is not None:
            self.balances[holder] += kopecks


class Office(RuleBasedStateMachine):
    """One operator's contracts, through random days."""

    books: Any
    client: TestClient[Any, Any]
    runner: asyncio.Runner
    count = 0

    @initialize()
    def begin(self) -> None:
        """Open contracts that no other history uses, some of them with services."""
        type(self).count += 1
        self.prefix = f"{type(self).count}-"
        self.model = Model()
        self.blocked: set[str] = set()
        today = self.today
        opened = [
            self.books.asked(self.name(n), credit_limit=str(Money(LIMITS[n]))) for n in NUMBERS
        ]
        self.run(self.books.open(*opened))
        for charging, prices in (("monthly", MONTHLY), ("daily", DAILY)):
            for number, kopecks in prices.items():
                self.serve(number, charging, kopecks)
                yesterday = today - timedelta(days=1)
                served = Served(number, kopecks, charging == "monthly", yesterday)
                self.model.services.append(served)

    def serve(self, number: str, charging: str, kopecks: int) -> None:
        """Give a contract a service of its own tariff."""
        name, label = f"{self.prefix}{charging} {number}", f"{charging}-{number}"
        body = {"name": name, "service": label, "charging": charging, "price": str(Money(kopecks))}
        self.ask("/tariffs", body, 201)
        self.ask(f"/contracts/{self.name(number)}/services", {"tariff": name}, 201)

    @property
    def today(self) -> date:
        """The billing's day."""
        day: date = self.books.core.rules.day(self.books.clock())
        return day

    def name(self, number: str) -> str:
        """Return a contract's number in this history."""
        return self.prefix + number

    def run(self, work: Any) -> Any:
        """Run a coroutine to its end."""
        return self.runner.run(work)

    def ask(self, path: str, body: dict[str, Any], *expected: int) -> Any:
        """Ask the API, with its check before; return what is answered."""
        return self.run(self._ask(path, body, expected))

    async def _ask(self, path: str, body: dict[str, Any], expected: tuple[int, ...]) -> Any:
        headers = {"Authorization": "Bearer anna", "Idempotency-Key": uuid4().hex}
        checked = await self.client.post(f"/api/v1{path}/check", json=body, headers=headers)
        foretold = await checked.json()
        answer = await self.client.post(f"/api/v1{path}", json=body, headers=headers)
        said = await answer.json()
        assert answer.status in expected, (path, body, said)
        assert foretold["allowed"] is (answer.status < 300), (foretold, said)
        if answer.status >= 300:
            assert said["code"] == foretold["code"]
        again = await self.client.post(f"/api/v1{path}", json=body, headers=headers)
        if answer.status == 201:
            assert (again.status, await again.json()) == (201, said)
        return {**said, "status_code": answer.status}

    @rule(number=NUMBER, kopecks=KOPECKS, cash=st.booleans())
    def take_a_payment(self, number: str, kopecks: int, cash: bool) -> None:
        """Take notes at the desk, or a payment order."""
        body = {
            "contract": self.name(number),
            "amount": f"{kopecks // 100},{kopecks % 100:02}",
            "method": "cash" if cash else "cashless",
            "receipt_number" if cash else "payment_order_number": uuid4().hex[:12],
        }
        made = self.ask("/payments", body, 201)
        self.model.balances[number] += kopecks
        path = f"/payments/{made['id']}"
        self.model.payments.append(Paid(path, kopecks, number, False, original=kopecks))
        assert made["balance"] == str(Money(self.model.balances[number]))
        assert made["available"] == str(Money(self.available(number)))

    @rule(number=NUMBER, kopecks=KOPECKS)
    def hear_of_a_payment(self, number: str, kopecks: int) -> None:
        """A provider has confirmed one."""
        paid = self.books.paid(uuid4().hex, kopecks, (self.name(number), kopecks))
        available = self.available(number) + kopecks
        [receipt] = self.run(self.books.arrive(paid))
        assert receipt.credits[0].available_kopecks == available
        self.model.balances[number] += kopecks
        path = f"/payments/{receipt.payment_id}"
        self.model.payments.append(Paid(path, kopecks, number, True, original=kopecks))

    def some(self, which: int) -> Paid | None:
        """Return one of the payments, if there is any."""
        held = self.model.payments
        return held[which % len(held)] if held else None

    @rule(which=WHICH, number=st.none() | NUMBER)
    def move(self, which: int, number: str | None) -> None:
        """Move a payment to another contract, or to suspense."""
        one = self.some(which)
        if one is None:
            return
        where = None if number is None else self.name(number)
        refused = one.annulled or one.holder == number
        body = {"action": "move", "contract": where, "reason": "wrong contract"}
        self.ask(f"{one.path}/corrections", body, *([409, 422] if refused else [201]))
        if not refused:
            self.model.place(one, one.kopecks, number)

    @rule(which=WHICH, kopecks=KOPECKS)
    def change(self, which: int, kopecks: int) -> None:
        """Change the sum of a payment."""
        one = self.some(which)
        if one is None:
            return
        allowed = not one.provider and not one.annulled and one.kopecks != kopecks
        body = {"action": "amount", "amount": str(Money(kopecks)), "reason": "a slip"}
        said = self.ask(f"{one.path}/corrections", body, *([201] if allowed else [409, 422]))
        if allowed:
            self.model.place(one, kopecks, one.holder)
            assert said["revision"] == one.revision

    @rule(which=WHICH)
    def annul_or_restore(self, which: int) -> None:
        """Annul a payment, or restore an annulled one."""
        one = self.some(which)
        if one is None:
            return
        action = "restore" if one.annulled else "annul"
        body = {"action": action, "reason": "by mistake"}
        said = self.ask(f"{one.path}/corrections", body, 409 if one.provider else 201)
        if one.provider:
            assert said["code"] == "provider_confirmed"
        elif action == "annul":
            one.original, one.restore_to = one.kopecks, one.holder
            one.annulled = True
            self.model.place(one, 0, None)
        else:
            one.annulled = False
            self.model.place(one, one.original, one.restore_to)

    @rule(one=NUMBER, other=NUMBER, kopecks=KOPECKS)
    def transfer(self, one: str, other: str, kopecks: int) -> None:
        """Transfer a sum between contracts."""
        allowed = one != other and kopecks <= self.model.balances[one]
        body = {"from": self.name(one), "to": self.name(other), "amount": str(Money(kopecks))}
        self.ask("/transfers", body, *([201] if allowed else [409, 422]))
        if allowed:
            self.model.balances[one] -= kopecks
            self.model.balances[other] += kopecks

    @rule(number=NUMBER, kopecks=st.integers(1_000, 60_000), waive=st.booleans())
    def promise(self, number: str, kopecks: int, waive: bool) -> None:
        """Give a promised payment; it moves nothing but its fee."""
        body = {"contract": self.name(number), "amount": str(Money(kopecks)), "waive_fee": waive}
        said = self.ask("/promises", body, 201, 409, 422)
        if said["status_code"] == 201 and not waive:
            self.model.balances[number] -= PROMISE_FEE

    @rule(number=NUMBER)
    def cancel_a_promise(self, number: str) -> None:
        """Take an open promise back."""
        open_ones = self.run(self._promises())
        if self.name(number) in open_ones:
            path = f"/promises/{open_ones[self.name(number)].id}/cancel"
            self.ask(path, {"reason": "not needed"}, 200, 409)

    @rule(number=NUMBER)
    def write_off(self, number: str) -> None:
        """Forgive a whole debt."""
        debt = max(0, -self.model.balances[number])
        path = f"/contracts/{self.name(number)}/write-offs"
        self.ask(path, {"reason": "moved away"}, *([201] if debt else [409, 422]))
        self.model.balances[number] += debt

    @rule(days=st.integers(1, 5))
    def let_days_pass(self, days: int) -> None:
        """Let days pass with all that the billing does by itself each day."""
        for _ in range(days):
            self.books.clock.advance(timedelta(days=1))
            for one in self.model.services:
                if self.name(one.contract) not in self.blocked:
                    resumed = self.model.resumed.get(one.contract)
                    self.model.balances[one.contract] -= one.due(self.today, resumed)
            self.run(self._jobs())
            self.note_blocks()

    @rule()
    def look_who_is_short(self) -> None:
        """Let the job of blocks look."""
        self.run(self._block())
        states = self.run(self._blocked())
        for number in NUMBERS:
            assert (self.name(number) in states) is (self.available(number) < 0), number

    async def _jobs(self) -> None:
        core = self.books.core
        await fee_jobs.run(core, self.today, lambda _: None, asyncio.Event())
        while await promise_jobs.step(core):
            pass
        await self._block()

    async def _block(self) -> None:
        core, at = self.books.core, self.books.clock()
        name = core.rules.producer.name
        alive = GatewayAlive(
            occurred_at=at, gateway=name, unsettled_seconds=0, unpublished_seconds=0
        )
        said = alive.event(name, subject=name, revision=at.isoformat(), correlation_id="alive")
        async with transaction(core.db) as tx:
            await life.hear(tx, [said], at)
        await block_job.step(Gate(core, lambda: True))

    def note_blocks(self) -> None:
        """Remember who was let in again, and when: the days of a block are not charged."""
        now = self.run(self._blocked())
        for number in NUMBERS:
            if self.name(number) in self.blocked and self.name(number) not in now:
                self.model.resumed[number] = self.today
        self.blocked = now

    def available(self, number: str) -> int:
        """Return what may be spent: balance, credit limit and active promise."""
        held = self.run(self._promises()).get(self.name(number))
        promised = 0 if held is None or held.overdue_at is not None else held.amount_kopecks
        return self.model.balances[number] + LIMITS[number] + promised

    async def _promises(self) -> dict[str, Any]:
        columns = select(account.c.name, promise).join(
            promise, promise.c.contract_id == account.c.id
        )
        async with reading(self.books.db) as tx:
            rows = (await tx.execute(columns.where(promise.c.closed_at.is_(None)))).all()
        found = {row.name.removeprefix("contract:"): row for row in rows}
        assert len(found) == len(rows), "two open promises of one contract"
        return found

    async def _blocked(self) -> set[str]:
        columns = select(account.c.name).join(block, block.c.contract_id == account.c.id)
        async with reading(self.books.db) as tx:
            rows = (await tx.execute(columns.where(block.c.blocked))).scalars()
            return {name.removeprefix("contract:") for name in rows}

    async def _stands(self) -> dict[str, Any]:
        columns = select(account.c.name, balance).join(
            balance, balance.c.account_id == account.c.id
        )
        async with reading(self.books.db) as tx:
            rows = (await tx.execute(columns)).all()
        return {row.name.removeprefix("contract:"): row for row in rows}

    @invariant()
    def the_books_agree(self) -> None:
        """Debits are credits, balances their postings, chains their sums, floors their promises."""
        if not hasattr(self, "model"):
            return
        kept = self.run(self._stands())
        mine = {n: kept[self.name(n)].kopecks for n in NUMBERS}
        assert mine == self.model.balances
        for number in NUMBERS:
            row = kept[self.name(number)]
            floor = row.credit_limit_kopecks + row.promised_kopecks
            assert row.kopecks + floor == self.available(number)
        report = self.run(self.books.proof())
        assert report.faults == []
        assert report.debits_kopecks == report.credits_kopecks

    @invariant()
    def the_chains_end_in_what_is_seen(self) -> None:
        """The newest payment's revisions end in its visible sum, and say where it is."""
        if not hasattr(self, "model") or not self.model.payments:
            return
        one = self.model.payments[type(self).count * 7 % len(self.model.payments)]
        said = self.run(self._get(f"{one.path}/revisions"))
        assert said["amount"] == str(Money(one.kopecks))
        assert said["items"][-1]["amount"] == str(Money(one.kopecks))
        assert [item["number"] for item in said["items"]] == list(range(1, one.revision + 1))

    @invariant()
    def nobody_who_has_money_is_blocked(self) -> None:
        """Whoever may spend something is let in, in the transaction of the money."""
        if hasattr(self, "model"):
            self.note_blocks()
            assert all(self.available(n) < 0 for n in NUMBERS if self.name(n) in self.blocked)

    async def _get(self, path: str) -> Any:
        answer = await self.client.get(f"/api/v1{path}", headers={"Authorization": "Bearer anna"})
        assert answer.status == 200
        return await answer.json()


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop of the test's own: hypothesis calls functions, not coroutines."""
    with asyncio.Runner() as made:
        yield made


async def serving(core: Any) -> TestClient[Any, Any]:
    """Serve the API of these books."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(core, TOKENS))
    client = TestClient(TestServer(root))
    await client.start_server()
    return client


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_any_days_of_an_office_keep_the_books(books: Any, runner: asyncio.Runner) -> None:
    producer = books.core.rules.producer
    alone = Topology(frozenset({"core-billing", "notifier"}))
    named = type(producer)(producer.name, alone, producer.signer)
    Office.books, Office.runner = books.under(producer=named), runner
    client = runner.run(serving(Office.books.core))
    Office.client = client
    rule_of_promises = {
        "name": "promise",
        "value": {"min": "10.00", "max": "500.00", "fee": "5.00", "days": 3},
    }
    headers = {"Authorization": "Bearer anna"}
    answer = runner.run(client.post("/api/v1/settings", json=rule_of_promises, headers=headers))
    assert answer.status == 201
    few = settings(
        max_examples=int(os.environ.get("SALDO_EXAMPLES", "8")),
        phases=[Phase.explicit, Phase.generate],
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(Office, settings=few)
    runner.run(client.close())
    runner.run(books.db.close())
