"""T-Bank as it is documented, in one small server, with the accidents that can happen to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from doubles import NOW
from gateway_sbp import exact
from gateway_sbp.acquirers.tbank import coding, refund_rows, standing
from gateway_sbp.acquirers.tbank.api import Account, TBank
from gateway_sbp.acquirers.tbank.wire.token import genuine
from sbp_tbank import Bank as OtherBank
from sbp_tbank import running
from sbp_terminal import Place as OtherPlace
from shared.clock import ManualClock
from shared.db import Database, open_database, transaction
from shared.events import Allocation
from shared.gateway import payments
from shared.gateway.provider import Order, ProviderPayment, RefundOrder, Status
from shared.gateway.settle import Payment

TERMINAL, PASSWORD = "1700000000001DEMO", "SimPassw0rd"
SHOP = f"tbank:{TERMINAL}"
REFUNDABLE = ("CONFIRMED", "PARTIAL_REFUNDED")


@dataclass
class Bank:
    """The bank: payments by their ids, bindings by their keys, and what goes wrong next."""

    payments: dict[str, dict[str, Any]] = field(default_factory=dict)
    bindings: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    shows_rest: bool = True
    """Whether a payment shows what is left of it, or what was paid."""
    refunds_later: bool = False
    """Whether refunds are worked on first."""
    charged: str = "FORM_SHOWED"
    """What a charge comes to."""
    lost: list[str] = field(default_factory=list)
    """Methods whose next request gets no answer, although it takes effect."""
    deaf: list[str] = field(default_factory=list)
    """Methods whose next request gets no answer and has no effect."""
    says: dict[str, list[tuple[int, bytes]]] = field(default_factory=dict)
    """What is answered next to a method, whatever is asked."""
    before: dict[str, Callable[[dict[str, Any]], None]] = field(default_factory=dict)
    """What happens at the bank just before a method is heard."""
    codes: dict[str, str] = field(default_factory=dict)
    """By payment: why its last refund came to nothing."""

    def application(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/v2/{method}", self._hear)
        return app

    def say(self, method: str, said: Any, status: int = 200) -> None:
        """Answer so once."""
        body = said if isinstance(said, bytes) else orjson.dumps(said)
        self.says.setdefault(method, []).append((status, body))

    def refuse(self, method: str, code: str, **more: Any) -> None:
        """Answer once with an error, which comes with HTTP 200."""
        no = {"Success": False, "ErrorCode": code, "Message": "No", "Details": "No"}
        self.say(method, {**no, **more})

    def times(self, method: str) -> int:
        """Return how often a method was asked."""
        return sum(1 for name, _ in self.asked if name == method)

    def sent(self, method: str) -> dict[str, Any]:
        """Return what a method was asked last."""
        return next(asked for name, asked in reversed(self.asked) if name == method)

    def become(self, payment: str, status: str) -> None:
        """Let a payment reach a status."""
        self.payments[payment]["Status"] = status

    def send_back(self, payment: str, kopecks: int) -> None:
        """Send money back as a person does in the bank's cabinet."""
        one = self.payments[payment]
        one["rest"] -= kopecks
        one["Status"] = "PARTIAL_REFUNDED" if one["rest"] else "REFUNDED"

    async def _hear(self, request: web.Request) -> web.Response:
        method, body = request.match_info["method"], await request.read()
        asked = orjson.loads(body)
        self.asked.append((method, asked))
        assert genuine(exact.read(body), PASSWORD)
        assert asked["TerminalKey"] == TERMINAL
        if self.before.get(method):
            self.before.pop(method)(asked)
        if self.says.get(method):
            status, said = self.says[method].pop(0)
            return web.Response(status=status, body=said, content_type="application/json")
        if method in self.deaf:
            self.deaf.remove(method)
            return _gone(request)
        answer = getattr(self, f"_{method}")(asked)
        if method in self.lost:
            self.lost.remove(method)
            return _gone(request)
        return web.json_response(answer)

    def _Init(self, asked: dict[str, Any]) -> dict[str, Any]:
        if any(one["OrderId"] == asked["OrderId"] for one in self.payments.values()):
            return _no("20")
        name = str(4_000_000_001 + len(self.payments))
        kept = {key: asked[key] for key in ("OrderId", "Amount", "TerminalKey")}
        self.payments[name] = {**kept, "PaymentId": name, "Status": "NEW", "rest": asked["Amount"]}
        return self._told(name)

    def _GetQr(self, asked: dict[str, Any]) -> dict[str, Any]:
        one = self.payments[asked["PaymentId"]]
        if one["Status"] not in ("NEW", "FORM_SHOWED"):
            return _no("8")
        one["Status"] = "FORM_SHOWED"
        link = f"https://qr.nspk.ru/AD{one['PaymentId']:0>30}?type=02&bank=100000000004"
        return self._told(asked["PaymentId"]) | {"Data": link}

    def _GetState(self, asked: dict[str, Any]) -> dict[str, Any]:
        known = asked["PaymentId"] in self.payments
        return self._told(asked["PaymentId"]) if known else _no("255")

    def _CheckOrder(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [one for one in self.payments.values() if one["OrderId"] == asked["OrderId"]]
        told = [{"PaymentId": one["PaymentId"], "Status": one["Status"]} for one in found]
        return _yes(OrderId=asked["OrderId"], TerminalKey=TERMINAL, Payments=told)

    def _GetQrState(self, asked: dict[str, Any]) -> dict[str, Any]:
        told = self._told(asked["PaymentId"])
        code = self.codes.get(asked["PaymentId"])
        return told if code is None else {**told, "QrCancelCode": code}

    def _Cancel(self, asked: dict[str, Any]) -> dict[str, Any]:
        one = self.payments[asked["PaymentId"]]
        if one["Status"] in ("NEW", "FORM_SHOWED"):
            one["Status"] = "CANCELED"
            return self._told(asked["PaymentId"])
        if one["Status"] not in REFUNDABLE:
            return _no("8")
        kopecks, before = asked.get("Amount", one["rest"]), one["rest"]
        if kopecks > before:
            return _no("1049")
        self.send_back(asked["PaymentId"], kopecks)
        if self.refunds_later:
            one["later"], one["Status"] = one["Status"], "ASYNC_REFUNDING"
        told = self._told(asked["PaymentId"])
        return {**told, "OriginalAmount": before, "NewAmount": one["rest"]}

    def _AddAccountQr(self, asked: dict[str, Any]) -> dict[str, Any]:
        assert asked["Description"]
        key = str(UUID(int=len(self.bindings) + 1))
        self.bindings[key] = {"Status": "NEW"}
        link = f"https://sub.nspk.ru/AS{len(self.bindings):0>30}?type=03"
        return _yes(RequestKey=key, Data=link, TerminalKey=TERMINAL)

    def _GetAddAccountQrState(self, asked: dict[str, Any]) -> dict[str, Any]:
        key = asked["RequestKey"]
        return _yes(RequestKey=key, **self.bindings[key]) if key in self.bindings else _no("3012")

    def _ChargeQr(self, asked: dict[str, Any]) -> dict[str, Any]:
        if "BankMemberId" not in asked:
            return _no("5031")
        one = self.payments[asked["PaymentId"]]
        if one["Status"] != "NEW":
            return _no("8")
        one["Status"] = self.charged
        one["charges"] = one.get("charges", 0) + 1
        return self._told(asked["PaymentId"])

    def _told(self, name: str) -> dict[str, Any]:
        one = self.payments[name]
        shown = {key: one[key] for key in ("OrderId", "TerminalKey", "PaymentId", "Status")}
        return _yes(**shown, Amount=one["rest"] if self.shows_rest else one["Amount"])


def _yes(**more: Any) -> dict[str, Any]:
    return {"Success": True, "ErrorCode": "0", "Message": "OK", **more}


def _no(code: str) -> dict[str, Any]:
    return {"Success": False, "ErrorCode": code, "Message": "No", "Details": "No"}


def _gone(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


@dataclass
class Place:
    """A terminal at the bank, and the gateway's own records beside it."""

    bank: Bank
    db: Database
    clock: ManualClock
    tbank: TBank
    alarms: list[str] = field(default_factory=list)

    def request(self, amount: int = 35_050, **more: Any) -> bytes:
        """Return what is asked for a new payment."""
        parts = (Allocation(contract="100245", amount_kopecks=amount),)
        return self.tbank.request(Order(uuid4(), parts, amount, None, **more))

    async def code(self, amount: int = 35_050) -> ProviderPayment:
        """Return a payment whose code can be paid, which the gateway has written down."""
        made = await self.tbank.create("key", self.request(amount))
        assert isinstance(made, ProviderPayment), made
        await self.remember(made)
        return made

    async def paid(self, amount: int = 100_000) -> str:
        """Return the id of a payment that was paid."""
        made = await self.code(amount)
        self.bank.become(made.id, "CONFIRMED")
        return made.id

    async def remember(self, made: ProviderPayment) -> None:
        """Write a payment down as the gateway does."""
        ours = Payment(
            id=made.payment_id or uuid4(),
            shop=SHOP,
            status=Status.PENDING,
            amount_kopecks=made.amount_kopecks,
            allocations=(),
            correlation_id="c",
            created_at=self.clock(),
            provider_payment_id=made.id,
            expires_at=made.expires_at,
        )
        async with transaction(self.db) as tx:
            await payments.insert(tx, ours, {})

    def refund(self, payment: str, amount: int, **more: Any) -> bytes:
        """Return what is asked for a new refund."""
        return self.tbank.refund_request(RefundOrder(uuid4(), payment, amount, False, **more))

    async def listed(self, payment: str) -> Any:
        """Return the refunds of a payment."""
        return await self.tbank.refunds_listed(NOW, NOW, None, payment)

    def pass_by(self, **time: float) -> None:
        """Let time pass."""
        self.clock.advance(timedelta(**time))


@pytest.fixture
async def at(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    """A terminal at a bank that is there, on either database."""
    bank, db, clock = Bank(), open_database(database_url), ManualClock(NOW)
    async with TestServer(bank.application()) as server:
        account = Account(
            terminal_key=TERMINAL,
            password=SecretStr(PASSWORD),
            api_url=str(server.make_url("/v2")),
            test=False,
            requests_per_second=10_000,
            lifetime=timedelta(minutes=30),
            create_seconds=5,
            fetch_seconds=5,
        )
        tbank = TBank(account, db, clock)
        place = Place(bank, db, clock, tbank)
        for module in (coding, refund_rows, standing):
            monkeypatch.setattr(module, "alarm", lambda kind, **_: place.alarms.append(kind))
        async with tbank.connected():
            yield place
    await db.close()


@pytest.fixture
async def place(database_url: str) -> AsyncIterator[OtherPlace]:
    """A terminal at the bank of `sbp_tbank`, on either database."""
    bank, db = OtherBank(), open_database(database_url)
    async with running(bank) as url:
        made = OtherPlace.at(url, bank, db)
        async with made.shop.connected():
            yield made
    await db.close()
