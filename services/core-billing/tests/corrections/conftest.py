"""The API as two managers of all rights and some of fewer call it, and payments to correct."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlalchemy import select

from core_billing.drafts import Payment
from core_billing.postings import payment
from core_billing.web import api
from shared import problem
from shared.crypto import token_hash
from shared.db import reading
from shared.settings import ApiToken

ALL = ("contracts:write", "payments:write", "settings:write")
SCOPES = {
    "anna": ALL,
    "boris": ALL,
    "reader": ("payments:read", "contracts:read"),
    "editor": ("payments:read", "payments:edit"),
}
TOKENS = {token_hash(name): ApiToken(name=name, scopes=given) for name, given in SCOPES.items()}

Call = Callable[..., Awaitable[tuple[int, Any]]]
Take = Callable[..., Awaitable[int]]


@pytest.fixture
async def call(books: Any, aiohttp_client: Any) -> Call:
    """Call the API as Anna, or as the token that is named; returns status and body."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    client: TestClient[Any, Any] = await aiohttp_client(root)

    async def send(method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {options.pop('token', 'anna')}"}
        headers |= options.pop("headers", {})
        sent = {} if body is None else {"json": body}
        answer = await client.request(method, f"/api/v1{path}", headers=headers, **sent, **options)
        return answer.status, json.loads(await answer.text())

    return send


@pytest.fixture
def take(books: Any) -> Take:
    """Take a payment, as a desk's unless a source is named; returns its id."""

    async def pay(key: str, kopecks: int, number: str, source: str = "cash:anna") -> int:
        given = Payment(source, key, kopecks, ((number, kopecks),), books.clock(), method="cash")
        await books.arrive(given)
        wanted = select(payment.c.id).where(payment.c.external_id == key, payment.c.revision == 1)
        async with reading(books.db) as tx:
            return int((await tx.execute(wanted)).scalar_one())

    return pay
