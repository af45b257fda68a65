"""Codes, callbacks, refunds and paper codes in any order, with faults, against a small model.

The gateway is the whole of it: its addresses, its loops, its database. On the other side is the
simulator of a bank, over HTTP, which tells nothing by itself: each of its callbacks is carried by
hand, late, twice or never. What payers do is also done to `Model`; in the end what the gateway has
said must be what the model holds, and until then no state goes back and nothing is said that is not
there. The same machine runs against each bank, because it speaks the neutral protocol only.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar
from uuid import uuid4

import aiohttp
import orjson
import pytest
from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
)
from sqlalchemy import select

from gateway_sbp.app import build
from gateway_sbp.migrations import SCHEMAS
from gateway_sbp.settings import Settings
from servers.processes import free_ports
from shared import problem
from shared.clock import ManualClock, system_clock
from shared.crypto import new_encryption_key, token_hash
from shared.db import reading, transaction
from shared.events import ContractChanged, Event, decode
from shared.gateway import directory, payments, rest
from shared.outbox import outbox
from shared.service import Service
from simulators import harness
from simulators.harness import Sandbox

RANKS = {"creating": 0, "pending": 1, "canceled": 2, "succeeded": 3}
SLOW = ("pruning", "registers", "journal", "old sheets", "recovery")
FAULTS = (
    *("drop_before", "drop_after", "error_before", "error_after"),
    *("too_many", "truncated", "bad_gateway_before", "bad_gateway_after", "callback_first"),
)
CONTRACTS = tuple(f"10{n:04d}" for n in range(6))
PAPER = "100245"
ROUNDS = 30
TOKEN = {"name": "demo", "scopes": ["payments:write", "refunds:write"]}


def roubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d}"


@dataclass
class Model:
    """What has happened: codes asked for, paid, and sent back; what came by paper."""

    asked: dict[str, int] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    refunds: dict[str, list[int]] = field(default_factory=dict)
    paper: dict[str, int] = field(default_factory=dict)

    def left(self, one: str) -> int:
        return self.paid.get(one, 0) - sum(self.refunds.get(one, []))


@dataclass
class World:
    """A gateway, a bank beside it, and hands that move both clocks."""

    service: Service
    gateway: Any
    sandbox: Sandbox
    http: aiohttp.ClientSession
    url: str
    clock: ManualClock
    bank: str

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": "Bearer demo"}
        if method == "POST":
            headers["Idempotency-Key"] = uuid4().hex
        address = f"{self.url}/sbp{path}"
        async with self.http.request(method, address, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def at_bank(self, method: str, path: str, body: Any = None, bank: str = "") -> Any:
        return await self.sandbox.call(method, f"/{bank or self.bank}{path}", body)

    async def carry(self, delivery: dict[str, Any]) -> None:
        headers = orjson.loads(delivery["headers"])
        address = f"{self.url}/sbp/callbacks/{delivery['bank']}"
        async with self.http.post(address, data=delivery["body"], headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            assert delivery["bank"] != "tbank" or await answer.read() == b"OK"

    async def told(self, object_id: str = "", bank: str = "") -> list[dict[str, Any]]:
        query = f"?object_id={object_id}" if object_id else ""
        answer = await self.at_bank("GET", f"/control/deliveries{query}", bank=bank)
        found: list[dict[str, Any]] = answer.body["items"]
        return found

    async def pass_time(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        await self.at_bank("POST", "/control/clock", {"advance_seconds": seconds})
        await self.settle()

    async def settle(self) -> None:
        """Let every loop do what is due, until nothing is."""
        loops = [loop for loop in self.service.loops if not loop.name.startswith(SLOW)]
        for _ in range(ROUNDS):
            more = [await loop.step() for loop in loops]
            for pool in (self.gateway.callbacks, self.gateway.polls, self.gateway.creations):
                await pool.drain()
            await self.gateway.refunds.drain()
            if not any(more):
                return

    async def said(self) -> list[Event]:
        async with reading(self.gateway.db) as tx:
            bodies = (await tx.execute(select(outbox.c.body).order_by(outbox.c.id))).scalars()
            return [decode(body) for body in bodies]

    async def rows(self) -> list[Any]:
        async with reading(self.gateway.db) as tx:
            return list(await tx.execute(select(payments.payment)))


@asynccontextmanager
async def world(folder: str, bank: str) -> AsyncIterator[World]:
    """Run a gateway on SQLite beside banks that tell it nothing by themselves."""
    (port,), clock = free_ports(1), ManualClock(system_clock())
    others = [other for other in ("raiffeisen", "tbank") if other != bank]
    async with harness.running() as sandbox, aiohttp.ClientSession() as http:
        environment = {
            "SALDO_DATABASE_URL": f"sqlite+aiosqlite:///{Path(folder)}/gateway.db",
            "SALDO_BUS_URL": "memory://",
            "SALDO_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "SALDO_SIGNING_KEYS": "a signing key of the tests",
            "SALDO_ENCRYPTION_KEYS": new_encryption_key(),
            "SALDO_API_TOKENS": orjson.dumps({token_hash("demo"): TOKEN}).decode(),
            "SBP_ACQUIRERS": ",".join((bank, *others)),
            "RAIFFEISEN_API_URL": f"{sandbox.url}/raiffeisen/api",
            "RAIFFEISEN_MERCHANT_ID": "MA0000099999",
            "RAIFFEISEN_SECRET_KEY": "sim-secret-key-000000000001",
            "TBANK_API_URL": f"{sandbox.url}/tbank/v2",
            "TBANK_TERMINAL_KEY": "1700000000001DEMO",
            "TBANK_PASSWORD": "SimPassw0rd",
            "GATEWAY_SBP_REQUESTS_PER_SECOND": "10000",
            "GATEWAY_SBP_ANSWER_WITHIN": "5s",
            # Nothing is given up while the machine runs: it has hours of its own.
            "GATEWAY_SBP_LIST_AFTER": "23h",
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            # Not the pause a throttled client takes: here its clock is moved by hand.
            patch.setattr("shared.gateway.bucket.REST", timedelta(0))
            service = build(Settings(), clock)
            mounted = service.mounts["/sbp"]
            gateway = mounted[rest.GATEWAY]
            await _prepare(gateway, clock)
            root = web.Application(middlewares=[problem.middleware])
            root.add_subapp("/sbp", mounted)
            runner = web.AppRunner(root, access_log=None, shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            try:
                yield World(
                    service, gateway, sandbox, http, f"http://127.0.0.1:{port}", clock, bank
                )
            finally:
                await runner.cleanup()
                await gateway.db.close()


async def _prepare(gateway: Any, clock: ManualClock) -> None:
    events = []
    for number in (*CONTRACTS, PAPER):
        said = ContractChanged(
            contract=number,
            occurred_at=clock(),
            revision=1,
            operator="op",
            status="open",
            subscriber_id="1",
        )
        events.append(said.event("core-billing", subject=number, revision=1, correlation_id="c"))
    async with transaction(gateway.db) as tx:
        for schema in SCHEMAS:
            await tx.run_sync(schema.create_all)
        await directory.keep(tx, events)


class Codes(RuleBasedStateMachine):
    """Whoever acts, in whatever order."""

    bank: ClassVar[str] = "raiffeisen"
    calls: ClassVar[tuple[str, ...]] = (
        *("register_qr_v2", "payment_info", "cancel_qr"),
        *("create_refund", "get_refund"),
    )
    made = Bundle("made")
    """Ids at the bank of codes that were made; some are ended by later ones."""
    paid = Bundle("paid")

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.ranks: dict[str, int] = {}
        self.number = 0
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.folder = TemporaryDirectory()
        self.open = world(self.folder.name, self.bank)
        self.world: World = self.run(self.open.__aenter__())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    @rule(target=made, kopecks=st.integers(1000, 100_000), contract=st.sampled_from(CONTRACTS))
    def somebody_asks_for_a_code(self, kopecks: int, contract: str) -> Any:
        return self.run(self._begin(kopecks, contract))

    @initialize(target=paid)
    def there_is_money(self) -> Any:
        """Without any, most of the rules would find nothing to do."""
        return self.run(self._pay(self.run(self._begin(65_000, CONTRACTS[0]))))

    @rule(target=paid, kopecks=st.integers(1000, 100_000), contract=st.sampled_from(CONTRACTS))
    def somebody_pays_at_once(self, kopecks: int, contract: str) -> Any:
        return self.run(self._pay(self.run(self._begin(kopecks, contract))))

    @rule(target=paid, one=consumes(made))
    def the_payer_pays(self, one: str) -> Any:
        return self.run(self._pay(one))

    @rule(one=made)
    def the_bank_refuses(self, one: str) -> None:
        self.run(self.world.at_bank("POST", f"/qr/{one}/refuse", {}))

    @rule(kopecks=st.integers(100, 500_000))
    def somebody_pays_by_paper(self, kopecks: int) -> None:
        self.run(self._pay_by_paper(kopecks))

    @rule(which=st.integers(0, 10_000), bank=st.sampled_from(("raiffeisen", "tbank")))
    def a_callback_arrives(self, which: int, bank: str) -> None:
        self.run(self._carry_one(which, bank))

    @rule(one=paid, share=st.integers(1, 120))
    def the_shop_refunds(self, one: str, share: int) -> None:
        self.run(self._refund(one, share))

    @rule(kind=st.sampled_from(FAULTS), call=st.integers(0, 10_000))
    def something_will_fail(self, kind: str, call: int) -> None:
        # A payer who is faster than the answer pays while the code is being registered.
        calls = [self.calls[0] if kind == "callback_first" else self.calls[call % len(self.calls)]]
        wish = {"faults": [{"kind": kind, "calls": calls, "times": 1}]}
        answer = self.run(self.world.at_bank("POST", "/control/faults", wish))
        assert answer.status == 200, answer

    @rule(seconds=st.integers(1, 900))
    def time_passes(self, seconds: int) -> None:
        self.run(self.world.pass_time(seconds))

    @invariant()
    def no_state_goes_back(self) -> None:
        for row in self.run(self.world.rows()):
            rank = RANKS[row.status]
            assert rank >= self.ranks.get(str(row.id), 0), f"{row.id} went back to {row.status}"
            self.ranks[str(row.id)] = rank

    @invariant()
    def nothing_is_said_that_is_not_there(self) -> None:
        known = self.model.paid | self.model.paper
        for event in self.run(self.world.said()):
            if event.type == "payment.succeeded":
                about = event.data["provider_payment_id"]
                assert event.data["amount_kopecks"] == known.get(about), about

    def teardown(self) -> None:
        try:
            self.run(self._finish())
        finally:
            self.run(self.open.__aexit__(None, None, None))
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            self.loop.close()
            self.folder.cleanup()

    async def _begin(self, kopecks: int, contract: str) -> str:
        # Sums of their own, or a live code of the same sum would be the same code.
        self.number += 1
        kopecks = kopecks // 1000 * 1000 + self.number % 1000
        body = {"contract": contract, "amount": roubles(kopecks)}
        status, made = await self.world.call("POST", "/v1/payments", body)
        assert status in (201, 202), made
        for _ in range(ROUNDS):
            if made["provider_payment_id"]:
                break
            await self.world.pass_time(60)
            _, made = await self.world.call("GET", f"/v1/payments/{made['id']}")
        one = made["provider_payment_id"]
        assert one, "an unclear registration ends with a code"
        self.model.asked[one] = kopecks
        if await self._is_paid(one):
            self.model.paid[one] = kopecks  # the payer of `callback_first` is faster
        return str(one)

    async def _pay(self, one: str) -> str:
        """Pay in the app; a code that was ended or has expired is not paid."""
        answer = await self.world.at_bank("POST", f"/qr/{one}/pay", {})
        assert answer.status in (200, 409), answer
        if answer.status == 200:
            self.model.paid[one] = self.model.asked[one]
        return one

    async def _is_paid(self, one: str) -> bool:
        return any("CONFIRMED" in d["body"] or "SUCCESS" in d["body"] for d in await self._of(one))

    async def _of(self, one: str) -> list[dict[str, Any]]:
        return await self.world.told(one)

    async def _pay_by_paper(self, kopecks: int) -> None:
        path = f"{self.world.url}/sbp/v1/contracts/{PAPER}/qr.svg"
        async with self.world.http.get(path, headers={"Authorization": "Bearer demo"}) as answer:
            if answer.status != 200:
                return
        found = await self.world.at_bank(
            "GET", f"/control/codes?order=c-{PAPER}", bank="raiffeisen"
        )
        code = found.body["items"][-1]["id"]
        paid = {"amount": roubles(kopecks)}
        done = await self.world.at_bank("POST", f"/qr/{code}/pay", paid, bank="raiffeisen")
        self.model.paper[str(done.body["transactionId"])] = kopecks

    async def _carry_one(self, which: int, bank: str) -> None:
        told = await self.world.told(bank=bank)
        if told:
            await self.world.carry(told[which % len(told)])
            await self.world.settle()

    async def _refund(self, one: str, share: int) -> None:
        await self.world.settle()
        ours = {row.provider_payment_id: row for row in await self.world.rows()}[one]
        kopecks = max(100, self.model.asked[one] * share // 100)
        body = {"amount": roubles(kopecks), "reason": "Ошибка"}
        status, said = await self.world.call("POST", f"/v1/payments/{ours.id}/refunds", body)
        assert status in (201, 202) or 400 <= status < 500, said

    async def _finish(self) -> None:
        """Nothing fails any more; of callbacks only those of paper codes come, late."""
        await self.world.at_bank("DELETE", "/control/faults")
        for delivery in await self.world.told(bank="raiffeisen"):
            if '"order":"c-' in delivery["body"]:
                await self.world.carry(delivery)
        for seconds in (*(600,) * 12, *(13 * 3600,) * 4):
            await self.world.pass_time(seconds)
        events = await self.world.said()
        paid = {
            event.data["provider_payment_id"]: event.data["amount_kopecks"]
            for event in events
            if event.type == "payment.succeeded"
        }
        assert paid == self.model.paid | self.model.paper
        said: Counter[str] = Counter()
        for event in events:
            if event.type == "refund.succeeded":
                said[event.data["provider_payment_id"]] += event.data["amount_kopecks"]
        for one, kopecks in self.model.paid.items():
            back = await self._sent_back(one)
            assert said[one] == back <= kopecks, f"{one}: {said[one]} said, {back} sent back"

    async def _sent_back(self, one: str) -> int:
        """Return the kopecks that the bank has sent back of a payment."""
        answer = await self.world.at_bank("GET", f"/control/refunded/{one}")
        return int(answer.body["kopecks"])


class CodesOfTBank(Codes):
    """The same at the other bank."""

    bank: ClassVar[str] = "tbank"
    calls: ClassVar[tuple[str, ...]] = ("Init", "GetQr", "GetState", "Cancel", "CheckOrder")


LIMITS = settings(
    max_examples=6,
    stateful_step_count=30,
    deadline=None,
    # Each step asks over HTTP: to shorten a failure would take longer than to read it.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

TestCodes = pytest.mark.timeout(240)(Codes.TestCase)
TestCodes.settings = LIMITS
TestCodesOfTBank = pytest.mark.timeout(240)(CodesOfTBank.TestCase)
TestCodesOfTBank.settings = LIMITS
