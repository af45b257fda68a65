"""Many clients on few contracts: payments, transfers, corrections and what follows, on PostgreSQL.

`SALDO_HAMMER` says how many operations, where more than a glance is wanted.
"""

import asyncio
import os
import random
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from shared.db import reading
from shared.money import Money

ON_POSTGRES = (pytest.mark.connected, pytest.mark.postgres)
CLIENTS = 32
NUMBERS = tuple(f"K{n}" for n in range(10))
BELOW = {"K0": "K9", "K1": "K9", "K2": "K8"}
"""Subordinate contracts and the main ones above them, which are locked first: so locks cross."""


class Crowd:
    """What the clients share: the payments that were taken, and how each answer was."""

    def __init__(self, call: Any, seed: int) -> None:
        self.call = call
        self.dice = random.Random(seed)
        self.payments: list[str] = []
        self.answers: Counter[str] = Counter()
        self.count = 0

    async def client(self, operations: int) -> None:
        """Do one thing after the other, as one manager would."""
        for _ in range(operations):
            kinds = ["pay", "pay", "transfer", "correct", "write_off"]
            kind = self.dice.choice(kinds) if self.payments else "pay"
            status, body = await getattr(self, kind)()
            self.answers[f"{kind} {status} {body.get('code') or ''}".strip()] += 1

    async def pay(self) -> tuple[int, Any]:
        """Take a payment."""
        self.count += 1
        amount = f"{self.dice.randint(1, 500)}.{self.dice.randint(0, 99):02d}"
        body = {"contract": self.dice.choice(NUMBERS), "amount": amount, "method": "cash"}
        status, made = await self.call(
            "POST", "/payments", {**body, "receipt_number": f"r-{self.count}"}
        )
        if status == 201:
            self.payments.append(made["id"])
        return status, made

    async def transfer(self) -> tuple[int, Any]:
        """Move money between two contracts."""
        sender, receiver = self.dice.sample(NUMBERS, 2)
        body = {"from": sender, "to": receiver, "amount": str(self.dice.randint(1, 300))}
        return await self.call("POST", "/transfers", body)  # type: ignore[no-any-return]

    async def correct(self) -> tuple[int, Any]:
        """Correct one of the few newest payments, which others correct as well."""
        one = self.dice.choice(self.payments[-8:])
        body = self.dice.choice(
            [
                {"action": "move", "contract": self.dice.choice(NUMBERS)},
                {"action": "amount", "amount": str(self.dice.randint(1, 500))},
                {"action": "annul"},
                {"action": "restore"},
            ]
        )
        path = f"/payments/{one}/corrections"
        return await self.call("POST", path, {**body, "reason": "проверка"})  # type: ignore[no-any-return]

    async def write_off(self) -> tuple[int, Any]:
        """Write a part of a debt off."""
        body = {"amount": "1", "reason": "проверка"}
        path = f"/contracts/{self.dice.choice(NUMBERS)}/write-offs"
        return await self.call("POST", path, body)  # type: ignore[no-any-return]


async def deadlocks(books: Any) -> int:
    """Return how many deadlocks the database has met since it was made: none reaches a caller."""
    counted = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    async with reading(books.db) as tx:
        return int((await tx.execute(text(counted))).scalar_one())


@pytest.mark.timeout(600)
@pytest.mark.parametrize("db", [pytest.param("postgres", marks=ON_POSTGRES)], indirect=True)
async def test_32_clients_on_ten_contracts(call: Any, books: Any) -> None:
    poor = {*BELOW, *BELOW.values()}
    brought = {number: "-2500.00" if number in poor else "1000.00" for number in NUMBERS}
    await books.open(*(books.asked(number, balance) for number, balance in brought.items()))
    for number, main in BELOW.items():
        assert (await call("POST", f"/contracts/{number}/terms", {"main": main}))[0] == 200
    operations = int(os.environ.get("SALDO_HAMMER", "96"))
    crowd = Crowd(call, seed=5)
    await asyncio.gather(*(crowd.client(operations // CLIENTS) for _ in range(CLIENTS)))
    shown = dict(sorted(crowd.answers.items()))
    print(shown, await deadlocks(books))
    assert not any(word.split()[1].startswith("5") for word in shown), shown
    assert {"pay 201", "transfer 201", "correct 201"} <= shown.keys()
    report = await books.proof()
    assert report.faults == []
    # What the payments say now, what was written off and what was brought along is all there is.
    standing = [
        (await call("GET", f"/payments/{one}/revisions"))[1]["amount"] for one in crowd.payments
    ]
    expected = sum(Money.parse(amount).kopecks for amount in standing)
    expected += 100 * shown.get("write_off 201", 0)
    expected += sum(Money.parse(balance).kopecks for balance in brought.values())
    assert sum((await books.balances()).values()) == expected
