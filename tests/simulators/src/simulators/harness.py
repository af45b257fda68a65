"""A sandbox of one's own, on a free port, for as long as a test needs it."""

from __future__ import annotations

import asyncio
import base64
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
from aiohttp import web

from simulators.app import create
from simulators.mail.sink import SINK
from simulators.settings import SandboxSettings
from simulators.store import Store
from simulators.web import STORE

PREFIX = "/sandbox"


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and a body; JSON where it is JSON, else text."""

    status: int
    body: Any


@dataclass(slots=True)
class Sandbox:
    """A running sandbox and the calls that tests make."""

    url: str
    smtp_port: int
    session: aiohttp.ClientSession
    shop: tuple[str, str] = ("100500", "test_demo")
    heard: list[dict[str, Any]] = field(default_factory=list)
    """The notifications that arrived at the sandbox's own listener, in order."""
    bell: asyncio.Event = field(default_factory=asyncio.Event)
    """Rings at each of them."""
    store: Store | None = None
    """The sandbox's memory, for tests that look where no customer can."""
    answers: list[int] = field(default_factory=list)
    """Statuses the listener gives to the next notifications; 200 when there are none."""
    says: bytes = b"OK"
    """The body of these answers."""

    async def api(
        self, method: str, path: str, body: Any = None, key: str | None = None, **options: Any
    ) -> Answer:
        """Call the YooKassa API as the shop; a POST gets a new key unless one is given."""
        headers = {"Authorization": basic(*self.shop)}
        if method == "POST":
            headers["Idempotence-Key"] = key or str(uuid.uuid4())
        options.setdefault("headers", {})
        options["headers"] = headers | options["headers"]
        return await self.call(method, f"/yookassa/v3{path}", body, **options)

    async def control(self, method: str, path: str, body: Any = None, of: str = "yookassa") -> Any:
        """Call a provider's control API and return its JSON; AssertionError unless it is 200."""
        answer = await self.call(method, f"/{of}/control{path}", body)
        if answer.status != web.HTTPOk.status_code:
            raise AssertionError(f"{method} {path}: {answer}")
        return answer.body

    async def call(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        """Make any request to the sandbox."""
        if body is not None:
            options["json"] = body
        async with self.session.request(method, self.url + path, **options) as response:
            if response.content_type == "application/json":
                return Answer(response.status, await response.json())
            return Answer(response.status, await response.text())

    async def create(self, **changes: Any) -> dict[str, Any]:
        """Create a payment of 650.00 and return it."""
        answer = await self.api("POST", "/payments", order(**changes))
        if answer.status != web.HTTPOk.status_code:
            raise AssertionError(answer)
        created: dict[str, Any] = answer.body
        return created

    async def pay(self, payment_id: str, **wish: Any) -> dict[str, Any]:
        """Pay as the button does and return the payment."""
        answer = await self.call("POST", f"/yookassa/payments/{payment_id}/pay", wish)
        if answer.status != web.HTTPOk.status_code:
            raise AssertionError(answer)
        paid: dict[str, Any] = answer.body
        return paid


def order(**changes: Any) -> dict[str, Any]:
    """Return the body of an ordinary creation; a change to None removes the member."""
    body = {
        "amount": {"value": "650.00", "currency": "RUB"},
        "capture": True,
        "confirmation": {"type": "redirect", "return_url": "http://127.0.0.1/return?top_up=77"},
        "description": "Пополнение лицевого счёта 100245",
        "metadata": {"top_up_id": "77"},
    }
    return {name: value for name, value in (body | changes).items() if value is not None}


def basic(login: str, key: str) -> str:
    """Return the value of a Basic Authorization header."""
    return "Basic " + base64.b64encode(f"{login}:{key}".encode()).decode()


@asynccontextmanager
async def running(**changes: Any) -> AsyncIterator[Sandbox]:
    """Run a sandbox whose notifications arrive in `heard`; `changes` are SandboxSettings."""
    # Held from here on: a port that was only found free may be taken a moment later.
    with socket.create_server(("127.0.0.1", 0)) as door:
        base = f"http://127.0.0.1:{door.getsockname()[1]}"
        settings = SandboxSettings(
            public_url=base + PREFIX,
            callback_url=base + "/heard",
            raiffeisen_callback_url=base + "/heard",
            tbank_callback_url=base + "/heard",
        )
        application = create(replace(settings, **changes))
        root = web.Application()
        root.add_subapp(PREFIX, application)
        async with aiohttp.ClientSession() as session:
            sandbox = Sandbox(base + PREFIX, 0, session)
            root.router.add_post("/heard", _listener(sandbox))
            runner = web.AppRunner(root, access_log=None, shutdown_timeout=1.0)
            await runner.setup()
            await web.SockSite(runner, door).start()
            sandbox.smtp_port, sandbox.store = application[SINK].port, application[STORE]
            try:
                yield sandbox
            finally:
                await runner.cleanup()


def _listener(sandbox: Sandbox) -> Any:
    async def hear(request: web.Request) -> web.Response:
        sandbox.heard.append(
            {
                "body": await request.text(),
                "from": request.remote,
                "signature": request.headers.get("Signature", ""),
                "headers": [(n.decode(), value.decode()) for n, value in request.raw_headers],
                "status": (status := sandbox.answers.pop(0) if sandbox.answers else 200),
            }
        )
        sandbox.bell.set()
        return web.Response(status=status, body=sandbox.says)

    return hear
