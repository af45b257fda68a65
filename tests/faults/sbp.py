"""The SBP part of a run: codes on the screen and on paper, payers with apps, and the bank's truth.

A paper code is paid again and again under one order, and nobody can be asked about it: what is lost
on its way is told again by the bank within its day. So at the end all that was lost is sent.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

import aiohttp

from faults import orders
from faults.checker import Source
from faults.client import Client, Refused
from faults.orders import Fate, Order
from faults.owed import Owed
from faults.provider import ControlFailed

SHARE: Final = 0.4
"""Of as many payments as go by card."""
PAPER_SHARE: Final = 0.25
"""Of the SBP payments, those by a printed code."""
BANKS: Final = ("raiffeisen", "tbank")
MISCHIEF: Final[Mapping[str, Any]] = {
    "duplicate": 0.5,
    "loss": 0.05,
    "attempt_loss": 0.1,
    "forge": 0.1,
    "jitter": 2000,
}
FAULTS: Final[tuple[dict[str, Any], ...]] = (
    {"kind": "drop_after", "probability": 0.01},
    {"kind": "drop_before", "probability": 0.01},
    {"kind": "error_after", "probability": 0.01},
    {"kind": "error_before", "probability": 0.01},
    {"kind": "truncated", "probability": 0.01},
    {"kind": "too_many", "probability": 0.01},
    {"kind": "bad_gateway_after", "probability": 0.01},
    {"kind": "latency_after", "probability": 0.02, "delay": 1500},
)
_PAYMENTS: Final = """
SELECT transaction_id, qr_id, order_id, amount_kopecks, type FROM raiffeisen_payment
WHERE status = 'SUCCESS'
"""
_TBANK_PAYMENTS: Final = """
SELECT id, amount_kopecks FROM tbank_payment WHERE paid = 1
"""
_TBANK_REFUNDS: Final = """
SELECT payment_id, amount_kopecks FROM tbank_refund WHERE state <> 'failed'
"""
_UNPAID: Final = """
SELECT id FROM raiffeisen_qr WHERE id NOT IN (SELECT qr_id FROM raiffeisen_payment)
UNION ALL SELECT CAST(id AS TEXT) FROM tbank_payment WHERE paid = 0
"""
_DELIVERIES: Final = "SELECT kind, state, count(*) FROM bank_delivery GROUP BY 1, 2"


@dataclass(frozen=True, slots=True)
class Account:
    """One of the banks' accounts, as the ledger names what comes from it."""

    provider: str

    @property
    def source(self) -> str:
        """The name under which the ledger knows what comes from there."""
        return f"payment:{self.provider}"


RAIFFEISEN: Final = Account("raiffeisen:MA0000099999")
TBANK: Final = Account("tbank:1700000000001DEMO")


@dataclass(frozen=True, slots=True)
class Paper:
    """A payment by a printed code."""

    at: float
    contract: str
    kopecks: int


@dataclass(frozen=True, slots=True)
class SbpPlan:
    """What is bought by SBP."""

    orders: tuple[Order, ...]
    papers: tuple[Paper, ...]


def draw(dice: Random, payments: int, seconds: float, contracts: Sequence[str]) -> SbpPlan:
    """Draw as much as belongs beside so many card payments."""
    count = round(payments * SHARE)
    printed = round(count * PAPER_SHARE)
    screen = orders.draw(dice, count - printed, seconds, contracts)
    papers = tuple(
        Paper(
            dice.uniform(0.05, 1.0) * seconds, dice.choice(contracts), dice.randrange(100, 500_000)
        )
        for _ in range(printed)
    )
    return SbpPlan(screen, papers)


@dataclass
class People:
    """Who pays by SBP; `refused` holds what should not have happened to them."""

    plan: SbpPlan
    session: aiohttp.ClientSession
    client: Client
    sandbox_url: str
    bank: str
    """The bank that makes new codes."""
    started: float
    refused: list[str] = field(default_factory=list)
    acts: Counter[str] = field(default_factory=Counter)

    async def make_trouble(self) -> None:
        """Put mischief and faults in force at both banks."""
        for bank in BANKS:
            await self._control(bank, "PUT", "/mischief", MISCHIEF)
            await self._control(bank, "POST", "/faults", {"faults": FAULTS})

    async def calm_down(self) -> None:
        """End the faults, and tell what was lost: the bank repeats for a day."""
        for bank in BANKS:
            await self._control(bank, "DELETE", "/faults")
            await self._control(bank, "PUT", "/mischief", {})
            await self._control(bank, "POST", "/deliveries/hasten", {"all": True})

    async def run(self) -> None:
        """Let everybody pay at their moment; returns when the last has."""
        async with asyncio.TaskGroup() as tasks:
            for order in self.plan.orders:
                tasks.create_task(self._order(order))
            for paper in self.plan.papers:
                tasks.create_task(self._paper(paper))

    async def _order(self, order: Order) -> None:
        await self._until(order.at)
        try:
            code = await self.client.pay(order)
            await asyncio.sleep(order.acts_after)
            if order.fate is Fate.CANCELED:
                self.acts["left"] += 1
                return
            await self._act(self.bank, code, {})
            for pause in order.told_again:
                await asyncio.sleep(pause)
                again = {"object_id": code}
                await self._control(self.bank, "POST", "/deliveries/repeat", again, (200, 404))
        except (Refused, ControlFailed) as error:
            self.refused.append(str(error))

    async def _paper(self, paper: Paper) -> None:
        await self._until(paper.at)
        try:
            await self.client.picture(paper.contract)
            found = await self._control(BANKS[0], "GET", f"/codes?order=c-{paper.contract}")
            code = found["items"][-1]["id"]
            roubles = f"{paper.kopecks // 100}.{paper.kopecks % 100:02d}"
            await self._act(BANKS[0], code, {"amount": roubles})
        except (Refused, ControlFailed) as error:
            self.refused.append(str(error))

    async def _act(self, bank: str, code: str, body: Mapping[str, Any]) -> None:
        """Pay in the app; a code that a newer one has ended is not payable any more."""
        address = f"{self.sandbox_url}/{bank}/qr/{code}/pay"
        async with self.session.post(address, json=body) as answer:
            if answer.status not in (200, 409):
                raise ControlFailed(f"{address}: {answer.status} {await answer.text()}")
            self.acts["paid" if answer.status == 200 else "ended before"] += 1

    async def _control(
        self,
        bank: str,
        method: str,
        path: str,
        wanted: Any = None,
        allowed: tuple[int, ...] = (200,),
    ) -> Any:
        address = f"{self.sandbox_url}/{bank}/control{path}"
        async with self.session.request(method, address, json=wanted) as answer:
            if answer.status not in allowed:
                raise ControlFailed(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json()

    async def _until(self, at: float) -> None:
        await asyncio.sleep(max(0.0, self.started + at - time.monotonic()))


def owed(plan: SbpPlan, store: Path) -> dict[Source, Sequence[Owed]]:
    """Return what each bank's account owes to whom, by the banks' own rows.

    The amount of a code on the screen tells its order, that of a printed one its order's name.
    """
    whose = {order.kopecks: order.contract for order in plan.orders}
    raiffeisen = [
        Owed(str(transaction), kopecks, order[2:])
        if kind == "QRStatic"
        else Owed(qr_id, kopecks, whose[kopecks])
        for transaction, qr_id, order, kopecks, kind in _rows(store, _PAYMENTS)
    ]
    tbank = [Owed(str(pid), k, whose[k]) for pid, k in _rows(store, _TBANK_PAYMENTS)]
    return {RAIFFEISEN: raiffeisen, TBANK: tbank}


def returned(plan: SbpPlan, store: Path) -> list[Owed]:
    """Return what T-Bank has sent back: whoever pays a code while it is being ended gets it back.

    Nobody of a run asks for a refund.
    """
    whose = {order.kopecks: order.contract for order in plan.orders}
    return [Owed(str(pid), k, whose[k]) for pid, k in _rows(store, _TBANK_REFUNDS)]


def refunds(store: Path) -> int:
    """Return how many refunds T-Bank has made or is making."""
    return len(_rows(store, _TBANK_REFUNDS))


def unpaid(store: Path) -> set[str]:
    """Return the codes that nobody has paid: whether they ever are, time alone will tell."""
    return {str(row[0]) for row in _rows(store, _UNPAID)}


def deliveries(store: Path) -> Mapping[str, int]:
    """Return how many callbacks there were, by kind and what became of them."""
    return {f"{kind} {state}": count for kind, state, count in _rows(store, _DELIVERIES)}


def _rows(store: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=10)) as opened:
        return opened.execute(sql).fetchall()
