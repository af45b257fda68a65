"""What a main contract hands on: the example of the rules, and any history against a model."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from core_billing import accounts, contracts, correction_acts, distribution, operations, terms
from core_billing.correction_rules import Action, Wish
from core_billing.drafts import Part, Payment
from core_billing.promise_rows import promise
from core_billing.revisions import By
from core_billing.terms import Terms
from shared.db import reading, transaction
from shared.money import Money

on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


async def subordinate(books: Any, main: str, *below: tuple[str, int]) -> None:
    """Put contracts below a main one, each with its priority."""
    async with transaction(books.db) as tx:
        found = await contracts.find_all(tx, [main, *(number for number, _ in below)])
        for number, priority in below:
            one = Terms(found[number].id, 1, "anna", main_id=found[main].id, priority=priority)
            await terms.put(tx, one)
        await accounts.tie(tx, found[main].id)


async def promised(books: Any, number: str, kopecks: int) -> None:
    """Let a contract have a promise from now on."""
    async with transaction(books.db) as tx:
        account_id = (await contracts.find_all(tx, [number]))[number].id
        given_at, until = books.clock(), books.clock() + timedelta(days=3)
        row: dict[str, Any] = {"contract_id": account_id, "amount_kopecks": kopecks}
        row |= {"fee_kopecks": 0, "paid_kopecks": 0, "granted_at": given_at, "revision": 1}
        row |= {"until": until, "origin": "manager", "granted_by": "anna"}
        await tx.execute(promise.insert().values(row))
        mine = accounts.balance.c.account_id == account_id
        await tx.execute(update(accounts.balance).where(mine).values(promised_kopecks=kopecks))
        await accounts.tie(tx, account_id)


async def test_the_example_of_the_rules(call: Any, books: Any, take: Any) -> None:
    await books.open("A", books.asked("C", "-300.00"), books.asked("B", "-100.00"))
    for number, priority in (("B", 1), ("C", 2)):
        terms_of: dict[str, Any] = {"main": "A", "priority": priority}
        assert (await call("POST", f"/contracts/{number}/terms", terms_of))[0] == 200
    one = await take("p1", 20_000, "A")
    for number, balance in (("A", "0.00"), ("B", "0.00"), ("C", "-200.00")):
        assert (await call("GET", f"/contracts/{number}"))[1]["balance"] == balance
    assert await books.balances() == {"A": 0, "B": 0, "C": -20_000}
    account = "adjustment:distribution"
    handed = [line for line in await books.lines() if account in line[3:5]]
    assert [(line[0], *line[3:6]) for line in handed] == [
        (str(one), "contract:A", account, 20_000),
        (str(one), account, "contract:B", 10_000),
        (str(one), account, "contract:C", 10_000),
    ]
    assert (await books.proof()).faults == []
    # Said again, it is handed on no second time.
    await take("p1", 20_000, "A")
    assert await books.balances() == {"A": 0, "B": 0, "C": -20_000}
    path = f"/payments/{one}/corrections"
    histories: list[tuple[dict[str, str], dict[str, int]]] = [
        ({"action": "amount", "amount": "450"}, {"A": 5_000, "B": 0, "C": 0}),
        ({"action": "annul"}, {"A": 0, "B": -10_000, "C": -30_000}),
        ({"action": "restore"}, {"A": 5_000, "B": 0, "C": 0}),
        ({"action": "move", "contract": "C"}, {"A": 0, "B": -10_000, "C": 15_000}),
        ({"action": "amount", "amount": "50"}, {"A": 0, "B": -10_000, "C": -25_000}),
        ({"action": "move", "contract": "A"}, {"A": 0, "B": -5_000, "C": -30_000}),
    ]
    for body, balances in histories:
        status, made = await call("POST", path, {**body, "reason": "проверка"})
        assert status == 201, made
        assert await books.balances() == balances
        told = {b["contract"]: Money.parse(b["balance"]).kopecks for b in made["balances"]}
        assert told.items() <= balances.items()
    assert (await books.proof()).faults == []


@on_sqlite
async def test_who_gets_nothing(call: Any, books: Any, take: Any) -> None:
    opened = [books.asked(*one) for one in (("B", "-1.00"), ("C", "5.00"), ("D", "-2.00"))]
    await books.open("A", *opened)
    await subordinate(books, "A", ("B", 1), ("C", 1), ("D", 2))
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "B", False, books.clock(), "")
    await call("POST", "/settings", {"name": "distribute_to_subordinates", "value": False})
    await take("p1", 100, "A")
    assert await books.balances() == {"A": 100, "B": -100, "C": 500, "D": -200}
    await call("POST", "/settings", {"name": "distribute_to_subordinates", "value": True})
    # No more than was paid now, and nothing to the closed one or the one without a debt.
    await take("p2", 50, "A")
    assert await books.balances() == {"A": 100, "B": -100, "C": 500, "D": -150}
    freed = await call("POST", "/contracts/D/terms", {"main": None})
    assert freed[0] == 200
    await take("p3", 50, "A")
    assert await books.balances() == {"A": 150, "B": -100, "C": 500, "D": -150}


@on_sqlite
async def test_a_promise_is_repaid_by_what_stays(call: Any, books: Any, take: Any) -> None:
    await books.open("A", "B")
    await promised(books, "A", 100)
    one = await take("p1", 60, "A")
    for body, paid in (
        ({"action": "annul"}, 0),
        ({"action": "restore"}, 60),
        ({"action": "amount", "amount": "0.90"}, 90),
        ({"action": "amount", "amount": "0.50"}, 50),
        ({"action": "move", "contract": "B"}, 0),
        ({"action": "move", "contract": "A"}, 50),
    ):
        path = f"/payments/{one}/corrections"
        assert (await call("POST", path, {**body, "reason": "проверка"}))[0] == 201
        async with reading(books.db) as tx:
            assert (await tx.execute(select(promise.c.paid_kopecks))).scalar_one() == paid


@on_sqlite
async def test_what_was_paid_before_a_promise_neither_repays_it_nor_takes_from_it(
    call: Any, books: Any, take: Any
) -> None:
    await books.open("A")
    old = await take("old", 100, "A")
    books.clock.advance(timedelta(hours=1))
    await promised(books, "A", 100)
    await take("new", 40, "A")
    for body, paid in (
        ({"action": "annul"}, 40),
        ({"action": "restore"}, 40),
        ({"action": "amount", "amount": "1.20"}, 60),
        ({"action": "amount", "amount": "0.10"}, 40),
    ):
        path = f"/payments/{old}/corrections"
        assert (await call("POST", path, {**body, "reason": "проверка"}))[0] == 201
        async with reading(books.db) as tx:
            assert (await tx.execute(select(promise.c.paid_kopecks))).scalar_one() == paid


@on_sqlite
async def test_a_changed_sum_leaves_what_was_handed_on(call: Any, books: Any, take: Any) -> None:
    await books.open("M", books.asked("S", "-100.00"))
    await subordinate(books, "M", ("S", 1))
    one = await take("p1", 20_000, "M")
    path = f"/payments/{one}/corrections"
    await call("POST", "/settings", {"name": "distribute_to_subordinates", "value": False})
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "S", False, books.clock(), "")
    body = {"action": "amount", "amount": "201", "reason": "опечатка"}
    assert (await call("POST", path, body))[0] == 201
    assert await books.balances() == {"M": 10_100, "S": 0}
    for refused in (body | {"amount": "99"}, {"action": "annul", "reason": "не тот"}):
        status, said = await call("POST", path, refused)
        assert (status, said["code"]) == (409, "subordinate_closed")
        assert "S" in said["detail"]
    async with transaction(books.db) as tx:
        await contracts.set_open(tx, books.core.rules, "S", True, books.clock(), "")
    assert (await call("POST", path, body | {"amount": "99"}))[0] == 201
    assert await books.balances() == {"M": 0, "S": -100}
    assert (await call("POST", path, {"action": "annul", "reason": "не тот"}))[0] == 201
    assert await books.balances() == {"M": 0, "S": -10_000}
    assert (await books.proof()).faults == []


@on_sqlite
async def test_suspense_that_is_placed_leaves_what_was_handed_on(call: Any, books: Any) -> None:
    await books.open("M", "B", books.asked("S", "-1.00"))
    await subordinate(books, "M", ("S", 1))
    for key, to, balances in (
        ("p1", "B", {"M": 0, "B": 40, "S": -40}),
        ("p2", "M", {"M": 60, "B": 40, "S": 0}),
    ):
        await books.arrive(books.paid(key, 100, ("M", 60), ("nobody", 40)))
        async with transaction(books.db) as tx:
            await contracts.set_open(tx, books.core.rules, "S", key == "p2", books.clock(), "")
        one = (await call("GET", f"/payments?provider_payment_id={key}"))[1]["items"][0]["id"]
        body = {"action": "move", "contract": to, "reason": "нашёлся"}
        assert (await call("POST", f"/payments/{one}/corrections", body))[0] == 201
        async with transaction(books.db) as tx:
            await contracts.set_open(tx, books.core.rules, "S", True, books.clock(), "")
        assert await books.balances() == balances
    assert (await books.proof()).faults == []


@on_sqlite
async def test_a_main_contract_in_debt_covers_its_own_first(books: Any, take: Any) -> None:
    opened = [books.asked(*one) for one in (("A", "-1.00"), ("B", "-1.00"), ("C", "-1.00"))]
    await books.open(*opened, "M")
    await subordinate(books, "A", ("B", 5))
    await subordinate(books, "M", ("C", 5))
    await take("p0", 60, "A")
    assert await books.balances() == {"A": -40, "B": -100, "C": -100, "M": 0}
    await take("p1", 70, "A")
    assert await books.balances() == {"A": 0, "B": -70, "C": -100, "M": 0}
    # One payment onto two main contracts is handed on by one operation.
    await books.arrive(books.paid("p2", 90, ("A", 50), ("M", 40)))
    assert await books.balances() == {"A": 0, "B": -20, "C": -60, "M": 0}
    assert (await books.proof()).faults == []


@given(
    kopecks=st.integers(0, 100),
    debts=st.lists(st.integers(-5, 40), max_size=6),
)
def test_debts_are_filled_in_their_order(kopecks: int, debts: list[int]) -> None:
    given_out = distribution.shares(kopecks, [(str(n), debt) for n, debt in enumerate(debts)])
    left = kopecks
    for n, debt in enumerate(debts):
        got = given_out.get(str(n), 0)
        assert got == max(0, min(left, debt))
        left -= got
    assert sum(given_out.values()) <= kopecks


BELOW = {"M": (("S1", 2), ("S2", 1)), "N": (("T1", 1),)}
NUMBERS = ("M", "N", "S1", "S2", "T1", "F")
KOPECKS = st.integers(1, 60)
STEPS = st.one_of(
    st.tuples(st.just("fee"), st.sampled_from(NUMBERS), KOPECKS),
    st.tuples(st.just("pay"), st.sampled_from(["M", "M", "N", "S1", "F"]), KOPECKS),
    st.tuples(st.just("move"), st.integers(0, 5), st.sampled_from([*NUMBERS, None])),
    st.tuples(st.just("amount"), st.integers(0, 5), KOPECKS),
    st.tuples(st.just("annul"), st.integers(0, 5), st.none()),
    st.tuples(st.just("restore"), st.integers(0, 5), st.none()),
)


@dataclass
class Paid:
    """A payment as the model knows it."""

    kopecks: int
    holder: str | None
    annulled: bool = False
    handed: dict[str, int] = field(default_factory=dict)
    revisions: int = 1


@dataclass
class Model:
    """Balances, and what each payment has handed on."""

    balances: dict[str, int] = field(default_factory=lambda: dict.fromkeys(NUMBERS, 0))
    payments: list[Paid] = field(default_factory=list)

    def put(self, one: Paid) -> None:
        """Let a payment lie where it lies, and hand it on."""
        if one.annulled or one.holder is None:
            return
        self.balances[one.holder] += one.kopecks
        self.hand_on(one, one.kopecks)

    def hand_on(self, one: Paid, kopecks: int) -> None:
        """Fill the debts below from what a payment has newly brought."""
        assert one.holder is not None
        left = max(0, min(kopecks, self.balances[one.holder]))
        for number, _ in sorted(BELOW.get(one.holder, ()), key=lambda pair: pair[1]):
            share = min(left, max(0, -self.balances[number]))
            if share:
                one.handed[number] = one.handed.get(number, 0) + share
                self.balances[number] += share
                self.balances[one.holder] -= share
                left -= share

    def change(self, one: Paid, kopecks: int) -> None:
        """Change a sum: what was handed on stays where it fits, those who come last lose first."""
        if one.holder is not None:
            left = kopecks
            for number, share in one.handed.items():
                one.handed[number] = min(share, left)
                left -= one.handed[number]
                self.balances[number] += one.handed[number] - share
                self.balances[one.holder] += share - one.handed[number]
            one.handed = {number: share for number, share in one.handed.items() if share}
            self.balances[one.holder] += kopecks - one.kopecks
            self.hand_on(one, kopecks - one.kopecks)
        one.kopecks = kopecks

    def take_back(self, one: Paid) -> None:
        """Undo what `put` has done."""
        if one.annulled or one.holder is None:
            return
        for number, share in one.handed.items():
            self.balances[number] -= share
            self.balances[one.holder] += share
        one.handed = {}
        self.balances[one.holder] -= one.kopecks

    def correct(self, action: str, which: int, what: Any) -> bool:
        """Correct a payment; say whether the rules allow it."""
        if which >= len(self.payments):
            return False
        one = self.payments[which]
        allowed = {
            "move": not one.annulled and one.holder != what,
            "amount": not one.annulled and one.kopecks != what,
            "annul": not one.annulled,
            "restore": one.annulled,
        }[action]
        if not allowed:
            return False
        if action == "amount":
            one.revisions += 1
            self.change(one, what)
            return True
        self.take_back(one)
        one.annulled = action == "annul"
        if action == "move":
            one.holder = what
        one.revisions += 1
        self.put(one)
        return True


class Story:
    """One history, on contracts that no other history uses."""

    def __init__(self, books: Any) -> None:
        self.books = books
        self.prefix = uuid4().hex[:8] + "-"
        self.model = Model()
        self.by = By("anna", books.clock(), "c-1")

    async def begin(self) -> None:
        """Open the contracts and put some below others."""
        await self.books.open(*(self.prefix + number for number in NUMBERS))
        for main, below in BELOW.items():
            named = [(self.prefix + number, priority) for number, priority in below]
            await subordinate(self.books, self.prefix + main, *named)

    async def step(self, kind: str, who: Any, what: Any) -> None:
        """Do one thing in the books and in the model, and compare the balances."""
        if kind == "fee":
            await self.fee(who, what)
        elif kind == "pay":
            await self.pay(who, what)
        elif self.model.correct(kind, who, what):
            await self.correct(kind, who, what)
        kept = await self.books.balances()
        assert {n: kept[self.prefix + n] for n in NUMBERS} == self.model.balances

    async def fee(self, number: str, kopecks: int) -> None:
        """Charge a contract."""
        name = accounts.of_contract(self.prefix + number)
        charge = Payment("fee:x", uuid4().hex, -kopecks, (), self.by.at)
        async with transaction(self.books.db) as tx:
            rules, part = self.books.core.rules, Part(1, name, -kopecks)
            await operations.carry_out(tx, rules, charge, [part], self.by.at, "c-1")
        self.model.balances[number] -= kopecks

    async def pay(self, number: str, kopecks: int) -> None:
        """Take a payment at the desk."""
        key = f"{self.prefix}{len(self.model.payments)}"
        shares = ((self.prefix + number, kopecks),)
        await self.books.arrive(Payment("cash:anna", key, kopecks, shares, self.by.at))
        one = Paid(kopecks, number)
        self.model.payments.append(one)
        self.model.put(one)

    async def correct(self, kind: str, which: int, what: Any) -> None:
        """Correct a payment as the model has."""
        number = self.prefix + what if kind == "move" and what is not None else None
        wish = Wish(
            Action(kind),
            "so",
            names_contract=kind == "move",
            number=number,
            amount_kopecks=what if kind == "amount" else None,
        )
        reference = ("cash:anna", f"{self.prefix}{which}")
        seen = self.model.payments[which].revisions - 1
        async with transaction(self.books.db) as tx:
            done = await correction_acts.correct(
                tx, self.books.core.rules, reference, seen, wish, self.by
            )
        one = self.model.payments[which]
        newest = done.chain.newest
        assert newest.number == one.revisions
        assert newest.amount_kopecks == (0 if one.annulled else one.kopecks)


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop of the test's own: hypothesis calls functions, not coroutines."""
    with asyncio.Runner() as made:
        yield made


@on_sqlite
def test_any_history_hands_on_as_the_model_does(books: Any, runner: asyncio.Runner) -> None:
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
    @given(steps=st.lists(STEPS, min_size=4, max_size=12))
    def histories(steps: list[tuple[str, Any, Any]]) -> None:
        async def tell() -> None:
            story = Story(books)
            await story.begin()
            for step in steps:
                await story.step(*step)

        runner.run(tell())

    histories()
    report = runner.run(books.proof())
    assert report.faults == []
    runner.run(books.db.close())
