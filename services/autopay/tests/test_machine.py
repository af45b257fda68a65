"""Random histories: events doubled, late, out of order; acts; a clock that jumps; idle schedulers.

A small world beside autopay knows what was asked for, what the banks have taken, and what was
refused. Whatever happens there are never two charges in flight, nothing is asked for after a
refusal or by a removed method, the cap of each month is kept, and an occasion has a bounded number
of tries.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from autopay.case import IN_FLIGHT, Charge, State
from autopay.mandate import Mandate, MethodName
from shared.errors import SaldoError
from shared.events import Event
from shared.inbox import Outcome

if TYPE_CHECKING:
    from conftest import World

STEPS = 40
HOMES = 7
CAP = 150_000
MOSCOW = ZoneInfo("Europe/Moscow")


class Home:
    """One subscriber with one contract."""

    def __init__(self, world: World, number: str, fate: random.Random) -> None:
        self.world = world
        self.number = number
        self.fate = fate
        self.balance = 5_000
        self.crossing = 0
        self.waiting: list[Event] = []
        self.asked: dict[str, Charge] = {}
        self.answers: Counter[str] = Counter()
        self.removed: set[MethodName] = set()
        self.mandate: Mandate | None = None
        self.cards = 0

    async def live(self) -> None:
        """Do something, mostly let fees be charged and banks answer."""
        if self.mandate is None:
            await self.agree()
            return
        deed = self.fate.random()
        if deed < 0.35:
            self.fall()
        elif deed < 0.85:
            self.answer()
        elif deed < 0.93:
            self.balance += 15_000
            self.posted(None)
        else:
            await self.act()

    def fall(self) -> None:
        """Charge fees, and say so where the balance has become low."""
        was = self.balance
        self.balance -= 12_000
        said = self.world.said
        if was >= 10_000 > self.balance or not self.crossing:
            self.crossing += 1
            told = {"balance_kopecks": self.balance, "needed_kopecks": 30_000}
            self.waiting.append(said.low(self.number, crossing=self.crossing, **told))
        told = {"balance_kopecks": self.balance, "available_kopecks": self.balance}
        self.waiting.append(said.due(self.number, needed_kopecks=30_000, **told))

    def answer(self) -> None:
        """Have the bank decide of a charge it was asked for."""
        if not self.asked:
            return
        this = self.fate.choice(sorted(self.asked))
        how = self.fate.choice(["paid", "paid", "soft", "soft", "soft", "hard", "shop", "stale"])
        charge = self.asked.pop(this)
        self.answers[how] += 1
        if how == "paid":
            self.balance += charge.amount_kopecks
            self.waiting.append(self.world.said.paid(charge))
            self.posted(charge)
        else:
            self.waiting.append(self.world.said.failed(charge, f"because_{how}", failure=how))

    def posted(self, charge: Charge | None) -> None:
        """Say that money is on the contract."""
        told = {"balance_kopecks": self.balance, "available_kopecks": self.balance}
        self.waiting.append(self.world.said.posted(charge, self.number, **told))
        if self.balance >= 10_000 and self.crossing:
            over = {"crossing": self.crossing, "balance_kopecks": self.balance}
            self.waiting.append(self.world.said.recovered(self.number, **over))

    async def agree(self) -> None:
        """Save two methods and make a mandate."""
        self.cards += 2
        names = [
            MethodName(f"bank:{n % 2}", f"{self.number}-{n}") for n in (self.cards, self.cards + 1)
        ]
        saved = [self.world.said.saved(name, self.number) for name in names]
        self.waiting += saved
        await self.world.hear(*saved)
        terms = replace(
            self.fate.choice([self.world.BALANCE, self.world.BALANCE, self.world.DAY]),
            method=names[0],
            reserve=names[1],
            cap_kopecks=CAP,
        )
        self.mandate = await self.world.create(terms, self.number)

    async def act(self) -> None:
        """Pause, go on, skip, change, unlink or refuse; to be told no is an answer."""
        mandate = self.mandate
        assert mandate is not None
        name = self.fate.choice(["pause", "resume", "skip", "change", "remove", "revoke"])
        if name == "remove":
            method = self.fate.choice(mandate.terms.methods)
            gone = self.world.said.removed(method, self.number, revision=self.fate.choice([1, 2]))
            await self.world.hear(gone)
            self.removed.add(method)
            return
        today = self.world.clock().astimezone(MOSCOW).date()
        changed = replace(mandate.terms, amount_kopecks=self.fate.choice([20_000, 40_000]))
        more = {"pause": (today + timedelta(days=2),), "change": (changed,), "revoke": ("x",)}
        try:
            await self.world.act(name, mandate, *more.get(name, ()))
        except SaldoError:
            return
        if name == "revoke":
            self.removed |= set(mandate.terms.methods)
            self.mandate = None


class Town:
    """Some homes, one clock, one bus that keeps no order."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.fate = random.Random(seed)
        self.homes = {str(n): Home(world, str(n), self.fate) for n in range(HOMES)}
        self.heard: list[Event] = []
        self.made: list[Charge] = []

    async def play(self) -> None:
        """Live through some weeks."""
        await self.world.hear(*(self.world.said.contract(number) for number in self.homes))
        for _ in range(STEPS):
            for home in self.homes.values():
                await home.live()
            await self.deliver()
            self.pass_time()
            if self.fate.random() < 0.9:
                await self.world.work()
            await self.look()

    def pass_time(self) -> None:
        """Let hours pass; sometimes the clock is wrong."""
        hours = self.fate.choice([1, 2, 5, 9, 20])
        if self.fate.random() < 0.05:
            hours = self.fate.choice([-30, -3, 100, 800])
        self.world.clock._now += timedelta(hours=hours)

    async def deliver(self) -> None:
        """Bring some of what waits, in any order, and some of what was brought before."""
        waiting = [event for home in self.homes.values() for event in home.waiting]
        self.fate.shuffle(waiting)
        batch = waiting[: self.fate.randint(0, len(waiting))]
        brought = {event.id for event in batch}
        for home in self.homes.values():
            home.waiting = [event for event in home.waiting if event.id not in brought]
        again = self.fate.sample(self.heard, min(4, len(self.heard)))
        self.heard += batch
        outcomes = await self.world.hear(*batch, *again) if batch or again else []
        assert set(outcomes) <= {Outcome.DONE, Outcome.REPEAT}

    async def look(self) -> None:
        """Prove what must always hold."""
        asked = await self.world.heard("charge.requested")
        # What is asked for has left, so that no refusal can take it back.
        await self.world.publish()
        self.made = list(await self.world.charges(None))
        by_id = {each.id: each for each in self.made}
        for body in asked:
            self.ask(body, by_id[body["charge_id"]])
        flying = Counter(each.contract for each in self.made if each.state in IN_FLIGHT)
        assert all(count == 1 for count in flying.values())
        tries = Counter(
            (each.contract, each.occasion) for each in self.made if each.requested_at is not None
        )
        assert all(count <= 25 for count in tries.values())
        spent: Counter[tuple[str, str]] = Counter()
        for each in self.made:
            if each.state in (*IN_FLIGHT, State.SUCCEEDED) and each.requested_at is not None:
                month = f"{each.requested_at.astimezone(MOSCOW):%Y-%m}"
                spent[each.contract, month] += each.amount_kopecks
        assert all(kopecks <= CAP for kopecks in spent.values())

    def ask(self, body: dict[str, Any], charge: Charge) -> None:
        """Take note of a charge that was asked for."""
        home = self.homes[charge.contract]
        assert charge.method not in home.removed
        assert home.mandate is not None
        assert charge.mandate_id == home.mandate.id
        assert body["amount_kopecks"] == charge.amount_kopecks
        home.asked[charge.id] = charge


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_happens(light: World, seed: int) -> None:
    town = Town(light, seed)
    await town.play()
    answers = sum((home.answers for home in town.homes.values()), Counter())
    # A history in which nothing is charged would prove nothing.
    assert len(answers) >= 3
    assert sum(answers.values()) >= 12
