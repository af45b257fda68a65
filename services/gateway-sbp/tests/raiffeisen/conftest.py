"""Raiffeisen in one small server that says what it is told to, and loses answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple
from uuid import uuid4

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from doubles import NOW
from gateway_sbp import exact
from gateway_sbp.acquirers.raiffeisen.api import Raiffeisen
from gateway_sbp.acquirers.raiffeisen.merchant import Account
from shared.clock import ManualClock
from shared.db import Database, open_database
from shared.events import Allocation
from shared.gateway.provider import Order

MERCHANT, KEY = "MA0000099999", "sim-secret-key-000000000001"
SHOP = f"raiffeisen:{MERCHANT}"
CODE = "AD1000SIMULATEDQRID0000000000001"
PAPER = "AS1000SIMULATEDQRID0000000000001"
LOST = -1
"""Instead of a status: the connection ends without an answer."""
SPRING = {"timestamp": "t", "status": 404, "error": "Not Found", "message": "", "path": "/api"}


class Asked(NamedTuple):
    """A request as the bank has heard it."""

    method: str
    path: str
    body: Any
    authorization: str | None


@dataclass
class Bank:
    """The bank: what it says next to each call, in turn, and the last of it for ever."""

    says: dict[tuple[str, str], list[tuple[int, bytes]]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def say(self, call: str, said: Any = b"", status: int = 200) -> None:
        """Answer a call such as `GET /sbp/v2/qrs/1` so, after what it is already to be answered."""
        method, _, path = call.partition(" ")
        body = said if isinstance(said, bytes) else orjson.dumps(said)
        self.says.setdefault((method, path), []).append((status, body))

    def lose(self, call: str) -> None:
        """Let the next answer to a call be lost; whatever it has done is done."""
        self.say(call, status=LOST)

    @property
    def calls(self) -> list[str]:
        """Return what was asked, in turn."""
        return [f"{one.method} {one.path}" for one in self.asked]

    def sent(self, method: str = "POST") -> list[Any]:
        """Return the bodies of the requests with this method."""
        return [one.body for one in self.asked if one.method == method]

    async def hear(self, request: web.Request) -> web.Response:
        path, raw = request.path.removeprefix("/api"), await request.read()
        body = exact.read(raw) if raw else None
        known = request.headers.get("Authorization")
        self.asked.append(Asked(request.method, path, body, known))
        script = self.says.get((request.method, path))
        if not script:
            return web.json_response(SPRING, status=404)
        status, said = script.pop(0) if len(script) > 1 else script[0]
        if status == LOST:
            assert request.transport is not None
            request.transport.close()
            return web.Response()
        return web.Response(status=status, body=said, content_type="application/json")


@dataclass
class Place:
    """An account at the bank."""

    bank: Bank
    db: Database
    clock: ManualClock
    raiffeisen: Raiffeisen

    def request(self, amount: int = 35_050, **more: Any) -> bytes:
        """Return what is asked for a new payment."""
        part = Allocation(contract="C-100245", amount_kopecks=amount)
        order = Order(more.pop("payment_id", uuid4()), (part,), amount, None, **more)
        return self.raiffeisen.request(order)


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.fixture
def account() -> Callable[..., Account]:
    """Return an account at the bank's address, with changes."""

    def make(url: str, **changes: Any) -> Account:
        said: dict[str, Any] = {
            "merchant_id": MERCHANT,
            "secret_key": SecretStr(KEY),
            "api_url": url,
            "test": False,
            "requests_per_second": 1000,
            "lifetime": timedelta(minutes=30),
            "create_seconds": 5,
            "fetch_seconds": 5,
            "breaker_failures": 100,
        }
        return Account(**{**said, **changes})

    return make


@pytest.fixture
async def at(
    bank: Bank, account: Callable[..., Account], database_url: str
) -> AsyncIterator[Place]:
    """An account at a bank that is there, on either database."""
    app = web.Application()
    app.router.add_route("*", "/api/{path:.*}", bank.hear)
    async with TestServer(app) as server:
        db, clock = open_database(database_url), ManualClock(NOW)
        raiffeisen = Raiffeisen(account(str(server.make_url("/api"))), db, clock)
        async with raiffeisen.connected():
            yield Place(bank, db, clock, raiffeisen)
        await db.close()
