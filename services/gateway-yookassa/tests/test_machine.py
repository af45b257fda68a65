"""Payments, captures, refunds and callbacks in any order, with faults, against a small model.

The gateway is the whole of it: its addresses, its loops, its database. On the other side is the
simulator, over HTTP. What the payer, the shop and the profile do is also done to `Model`, and
whatever the callbacks, answers and faults were, in the end what the gateway has said must be what
the model holds; until then no state may go back and no money may be said that is not there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Coroutine, Mapping
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
    multiple,
    rule,
)
from sqlalchemy import select

from gateway_yookassa.app import build
from gateway_yookassa.settings import Settings
from servers.processes import free_ports
from shared import problem
from shared.clock import ManualClock, system_clock
from shared.crypto import new_encryption_key, token_hash
from shared.db import reading, transaction
from shared.events import ContractChanged, Event, decode
from shared.gateway import directory, payments, rest, work
from shared.outbox import outbox
from shared.service import Service
from simulators import harness
from simulators.harness import Sandbox

RANKS = {"creating": 0, "pending": 1, "canceled": 2, "succeeded": 3}
SLOW = ("pruning", "registers", "journal")
"""Loops that have no say in what becomes of a payment."""
FAULTS = ("drop_before", "drop_after", "error_before", "error_after", "too_many", "truncated")
FAULTS_TOO = ("bad_gateway_before", "bad_gateway_after", "processing", "stale", "webhook_first")
CALLS = ("create_payment", "get_payment", "create_refund", "get_refund", "capture_payment")
ROUNDS = 30
TOKEN = {"name": "demo", "scopes": ["payments:write", "refunds:write"]}


def roubles(kopecks: int) -> str:
    return f"{kopecks // 100}.{kopecks % 100:02d}"


@dataclass
class Model:
    """What has happened, in ten lines: payments asked for, paid, and sent back."""

    asked: dict[str, int] = field(default_factory=dict)
    paid: dict[str, int] = field(default_factory=dict)
    refunds: dict[str, list[int]] = field(default_factory=dict)

    def pay(self, one: str) -> None:
        self.paid[one] = self.asked[one]

    def refund(self, one: str, kopecks: int) -> bool:
        left = self.paid.get(one, 0) - sum(self.refunds.get(one, []))
        if kopecks <= left:
            self.refunds.setdefault(one, []).append(kopecks)
        return kopecks <= left


@dataclass
class World:
    """A gateway, the simulator beside it, and hands that move both clocks."""

    service: Service
    gateway: Any
    sandbox: Sandbox
    http: aiohttp.ClientSession
    url: str
    clock: ManualClock

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": "Bearer demo"}
        if method == "POST":
            headers["Idempotency-Key"] = uuid4().hex
        address = f"{self.url}/yookassa{path}"
        async with self.http.request(method, address, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def notify(self, body: Mapping[str, Any]) -> None:
        address = f"{self.url}/yookassa/callbacks"
        async with self.http.post(address, json=body) as answer:
            assert answer.status == 200, await answer.text()

    async def pass_time(self, seconds: int) -> None:
        self.clock.advance(timedelta(seconds=seconds))
        await self.sandbox.control("POST", "/clock", {"advance_seconds": seconds})
        await self.settle()

    async def settle(self) -> None:
        """Let every loop do what is due, until nothing is."""
        loops = [loop for loop in self.service.loops if not loop.name.startswith(SLOW)]
        for _ in range(ROUNDS):
            more = [await loop.step() for loop in loops]
            for pool in (self.gateway.callbacks, self.gateway.polls, self.gateway.creations):
                await pool.drain()
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
async def world(folder: str, **changes: str) -> AsyncIterator[World]:
    """Run a gateway on SQLite beside a simulator that tells it nothing by itself."""
    (port,), clock = free_ports(1), ManualClock(system_clock())
    async with harness.running(callback_url=None) as sandbox, aiohttp.ClientSession() as http:
        environment = {
            "SALDO_DATABASE_URL": f"sqlite+aiosqlite:///{Path(folder)}/gateway.db",
            "SALDO_BUS_URL": "memory://",
            "SALDO_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "SALDO_SIGNING_KEYS": "a signing key of the tests",
            "SALDO_ENCRYPTION_KEYS": new_encryption_key(),
            "SALDO_API_TOKENS": orjson.dumps({token_hash("demo"): TOKEN}).decode(),
            "YOOKASSA_API_URL": f"{sandbox.url}/yookassa/v3",
            "YOOKASSA_SHOP_ID": sandbox.shop[0],
            "YOOKASSA_SECRET_KEY": sandbox.shop[1],
            "YOOKASSA_TEST_MODE": "true",
            "YOOKASSA_CALLBACK_NETWORKS": "any",
            "YOOKASSA_REQUESTS_PER_SECOND": "10000",
            "GATEWAY_YOOKASSA_ANSWER_WITHIN": "5s",
            **changes,
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            # Not the pause a throttled client takes: here its clock is moved by hand.
            patch.setattr("shared.gateway.bucket.REST", timedelta(0))
            chosen = Settings()
            service = build(chosen, clock)
            mounted = service.mounts["/yookassa"]
            gateway = mounted[rest.GATEWAY]
            await _prepare(gateway, clock)
            root = web.Application(middlewares=[problem.middleware])
            root.add_subapp("/yookassa", mounted)
            runner = web.AppRunner(root, access_log=None, shutdown_timeout=1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", port).start()
            try:
                yield World(service, gateway, sandbox, http, f"http://127.0.0.1:{port}", clock)
            finally:
                await runner.cleanup()
                await gateway.db.close()


async def _prepare(gateway: Any, clock: ManualClock) -> None:
    said = ContractChanged(
        contract="100245",
        occurred_at=clock(),
        revision=1,
        operator="op",
        status="open",
        subscriber_id="1",
    )
    event = said.event("core-billing", subject="100245", revision=1, correlation_id="c")
    async with transaction(gateway.db) as tx:
        for schema in work.SCHEMAS:
            await tx.run_sync(schema.create_all)
        await directory.keep(tx, [event])


class Money(RuleBasedStateMachine):
    """Whoever acts, in whatever order."""

    changes: ClassVar[dict[str, str]] = {}
    made = Bundle("made")
    """Ids at the provider of payments that nobody has paid or refused."""
    paid = Bundle("paid")
    told = Bundle("told")
    """Notifications as the provider would send them, of now or of long ago."""

    def __init__(self) -> None:
        super().__init__()
        self.model = Model()
        self.ranks: dict[str, int] = {}
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.folder = TemporaryDirectory()
        self.open = world(self.folder.name, **self.changes)
        self.world: World = self.run(self.open.__aenter__())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)

    @rule(target=made, kopecks=st.integers(100, 100_000))
    def somebody_begins(self, kopecks: int) -> Any:
        return self.run(self._begin(kopecks))

    @initialize(target=paid)
    def there_is_money(self) -> Any:
        """Without any, most of the rules would find nothing to do."""
        return self.run(self._pay(self.run(self._begin(65_000))))

    @rule(target=paid, kopecks=st.integers(100, 100_000))
    def somebody_pays_at_once(self, kopecks: int) -> Any:
        return self.run(self._pay(self.run(self._begin(kopecks))))

    @rule(target=paid, one=consumes(made))
    def the_payer_pays(self, one: str) -> Any:
        return self.run(self._pay(one))

    @rule(one=consumes(made))
    def the_bank_refuses(self, one: str) -> None:
        self.run(self._refuse(one))

    @rule(target=told, one=st.one_of(made, paid))
    def the_provider_tells(self, one: str) -> Any:
        return self.run(self._told(one))

    @rule(one=paid, share=st.integers(1, 120))
    def the_shop_refunds(self, one: str, share: int) -> None:
        self.run(self._refund(one, share))

    @rule(target=told, one=paid, share=st.integers(1, 100))
    def the_profile_refunds(self, one: str, share: int) -> Any:
        return self.run(self._refund_in_profile(one, share))

    @rule(body=told)
    def a_callback_arrives(self, body: Mapping[str, Any]) -> None:
        self.run(self.world.notify(body))

    @rule(kind=st.sampled_from(FAULTS + FAULTS_TOO), call=st.sampled_from(CALLS))
    def something_will_fail(self, kind: str, call: str) -> None:
        # A payer who is faster than the answer pays while the payment is being made.
        calls = ["create_payment"] if kind == "webhook_first" else [call]
        fault = {"kind": kind, "calls": calls, "times": 1}
        self.run(self.world.sandbox.control("POST", "/faults", {"faults": [fault]}))

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
        for event in self.run(self.world.said()):
            about = event.data.get("provider_payment_id")
            if event.type == "payment.succeeded":
                assert event.data["amount_kopecks"] == self.model.paid.get(about)
            if event.type == "refund.succeeded":
                assert event.data["amount_kopecks"] in self.model.refunds.get(about, [])

    def teardown(self) -> None:
        try:
            self.run(self._finish())
        finally:
            self.run(self.open.__aexit__(None, None, None))
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join()
            self.loop.close()
            self.folder.cleanup()

    async def _begin(self, kopecks: int) -> str:
        body = {
            "contract": "100245",
            "amount": roubles(kopecks),
            "return_url": f"{self.world.url}/cabinet/",
        }
        status, made = await self.world.call("POST", "/v1/payments", body)
        assert status in (201, 202), made
        for _ in range(ROUNDS):
            if made["provider_payment_id"]:
                break
            await self.world.pass_time(60)
            _, made = await self.world.call("GET", f"/v1/payments/{made['id']}")
        one = made["provider_payment_id"]
        assert one, "an unclear creation ends with a payment"
        self.model.asked[one] = kopecks
        if (await self._truth(one))["paid"]:
            self.model.pay(one)  # the payer of `webhook_first` is faster than any answer
        return str(one)

    async def _pay(self, one: str) -> str:
        if (await self._truth(one))["status"] == "pending":
            await self.world.sandbox.pay(one)
            self.model.pay(one)
        return one

    async def _refuse(self, one: str) -> None:
        if (await self._truth(one))["status"] == "pending":
            await self.world.sandbox.control("POST", f"/payments/{one}/cancel")

    async def _told(self, one: str) -> dict[str, Any]:
        truth = await self._truth(one)
        return {"type": "notification", "event": f"payment.{truth['status']}", "object": truth}

    async def _refund(self, one: str, share: int) -> None:
        await self.world.settle()
        ours = {row.provider_payment_id: row for row in await self.world.rows()}[one]
        kopecks = max(1, self.model.asked[one] * share // 100)
        body = {"amount": roubles(kopecks), "reason": "Ошибка"}
        path = f"/v1/payments/{ours.id}/refunds"
        status, said = await self.world.call("POST", path, body)
        if status not in (201, 202):
            assert 400 <= status < 500, said
            return
        for _ in range(ROUNDS):
            if said["status"] != "creating":
                break
            await self.world.pass_time(60)
            _, said = await self.world.call("GET", f"/v1/refunds/{said['id']}")
        if said["status"] != "canceled":
            assert self.model.refund(one, kopecks), "never more than was paid"

    async def _refund_in_profile(self, one: str, share: int) -> Any:
        kopecks = max(1, self.model.asked[one] * share // 100)
        amount = {"amount": roubles(kopecks)}
        path = f"/yookassa/control/payments/{one}/refund"
        answer = await self.world.sandbox.call("POST", path, amount)
        if answer.status != 200:
            return multiple()
        assert self.model.refund(one, kopecks), "the simulator gives back what it has"
        return {"type": "notification", "event": "refund.succeeded", "object": answer.body}

    async def _truth(self, one: str) -> dict[str, Any]:
        found: dict[str, Any] = await self.world.sandbox.control("GET", f"/payments/{one}")
        return found

    async def _finish(self) -> None:
        """Nothing fails any more, no callback comes: poller and nightly sweep find it all."""
        await self.world.sandbox.control("DELETE", "/faults")
        for seconds in (*(600,) * 12, *(13 * 3600,) * 4):
            await self.world.pass_time(seconds)
        events = await self.world.said()
        paid = {
            event.data["provider_payment_id"]: event.data["amount_kopecks"]
            for event in events
            if event.type == "payment.succeeded"
        }
        assert paid == self.model.paid
        refunded: dict[str, list[int]] = {}
        for event in events:
            if event.type == "refund.succeeded":
                about = event.data["provider_payment_id"]
                refunded.setdefault(about, []).append(event.data["amount_kopecks"])
        assert {one: sorted(parts) for one, parts in refunded.items()} == {
            one: sorted(parts) for one, parts in self.model.refunds.items()
        }


class HeldMoney(Money):
    """The same with two-stage payments."""

    changes: ClassVar[dict[str, str]] = {"YOOKASSA_CAPTURE": "false"}


LIMITS = settings(
    max_examples=7,
    stateful_step_count=30,
    deadline=None,
    # Each step asks over HTTP: to shorten a failure would take longer than to read it.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

TestMoney = pytest.mark.timeout(240)(Money.TestCase)
TestMoney.settings = LIMITS
TestHeldMoney = pytest.mark.timeout(240)(HeldMoney.TestCase)
TestHeldMoney.settings = LIMITS
