"""Access against a small model: any order of money, limits, rules and looks of the job."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from core_billing.accounts import account, balance
from core_billing.policies import BLOCK
from core_billing.policy_rows import policy
from shared.db import reading, transaction

RULES = (
    {"mode": "below_zero"},
    {"mode": "above_sum", "sum": "3.00"},
    {"mode": "never"},
)


@dataclass
class Model:
    """What a contract's access should be, by the sentences of the rules."""

    available: int
    blocked: bool = False
    changes: int = 0

    def money(self, kopecks: int) -> None:
        """Whoever has something available again is let in with the money."""
        self.available += kopecks
        if self.blocked and self.available >= 0:
            self.turn()

    def look(self, rule: dict[str, str]) -> None:
        """The job lets in whom a rule never blocks, and cuts off by the others."""
        never = rule["mode"] == "never"
        debt = 300 if rule["mode"] == "above_sum" else 0
        cut = not never and self.available < 0 and -self.available > debt
        if self.blocked:
            if never or self.available >= 0:
                self.turn()
        elif cut:
            self.turn()

    def turn(self) -> None:
        self.blocked, self.changes = not self.blocked, self.changes + 1


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize("seed", [1])
async def test_access_follows_the_model(books: Any, desk: Any, seed: int) -> None:
    dice = random.Random(seed)
    numbers = ("A", "B", "C")
    await books.open(*numbers)
    await desk.rule(BLOCK, mode="below_zero")
    models = {number: Model(0) for number in numbers}
    rule: dict[str, str] = {"mode": "below_zero"}
    for n in range(30):
        number, kopecks = dice.choice(numbers), dice.randint(1, 500)
        what = dice.choice(("pay", "take", "take", "rule", "look", "look"))
        if what == "pay":
            await books.arrive(books.paid(f"p{n}", kopecks, (number, kopecks)))
            models[number].money(kopecks)
        elif what == "take":
            await _take(books, number, kopecks)
            models[number].available -= kopecks
        elif what == "rule":
            rule = dice.choice(RULES)
            async with transaction(books.db) as tx:
                await tx.execute(update(policy).values(value=rule))
        else:
            await desk.step(after=timedelta(minutes=1))
            for model in models.values():
                model.look(rule)
        await _agree(books, desk, models)


async def _take(books: Any, number: str, kopecks: int) -> None:
    name = f"contract:{number}"
    mine = select(account.c.id).where(account.c.name == name).scalar_subquery()
    async with transaction(books.db) as tx:
        await tx.execute(
            update(balance)
            .where(balance.c.account_id == mine)
            .values(kopecks=balance.c.kopecks - kopecks)
        )


async def _agree(books: Any, desk: Any, models: dict[str, Model]) -> None:
    assert await desk.blocked() == {n for n, model in models.items() if model.blocked}
    told = await desk.told()
    for number, model in models.items():
        mine = [one for one in told if one[0] == number]
        assert [one[2] for one in mine] == list(range(1, model.changes + 1))
        assert [one[1] for one in mine] == (["blocked", "unblocked"] * len(mine))[: len(mine)]
    async with reading(books.db) as tx:
        tied = select(account.c.name).join(balance, balance.c.account_id == account.c.id)
        names = set((await tx.execute(tied.where(balance.c.tied))).scalars())
    assert {f"contract:{n}" for n, model in models.items() if model.blocked} <= names
