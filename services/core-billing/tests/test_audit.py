"""The audit log as it is read: filters, pages, and what an opening leaves in it."""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from core_billing import audit
from core_billing.web import api
from shared import problem
from shared.crypto import token_hash
from shared.db import transaction
from shared.settings import ApiToken

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKENS = {
    token_hash("all"): ApiToken(name="Ольга", scopes=("*",)),
    token_hash("none"): ApiToken(name="none", scopes=("contracts:write", "payments:write")),
}
Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def call(books: Any, aiohttp_client: Any) -> Call:
    """Call the API; returns status and body."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    client = await aiohttp_client(root)

    async def send(method: str, path: str, token: str = "all", **options: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        answer = await client.request(method, f"/api/v1{path}", headers=headers, **options)
        return answer.status, json.loads(await answer.read())

    return send


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_an_opening_is_written_down_once_and_names_no_person(books: Any, call: Call) -> None:
    person = {"name": "Анна", "phone": "+79161234567", "email": "a@example.ru"}
    body = {"number": "A", "subscriber": person, "balance": "-5.00", "password": "secret"}
    keyed = {"Idempotency-Key": "k-1"}
    assert (await call("POST", "/contracts", json=body, headers=keyed))[0] == 201
    assert (await call("POST", "/contracts", json=body, headers=keyed))[0] == 201
    assert (await call("POST", "/contracts", json=body))[0] == 200
    assert (await call("POST", "/contracts", json={**body, "balance": "1"}))[0] == 409
    _, page = await call("GET", "/audit")
    [act] = page["items"]
    assert (act["actor"], act["action"], act["subject"], act["at"]) == (
        *("Ольга", "contract.open"),
        *("contract:A", "2026-11-22T12:00:00Z"),
    )
    assert act["asked"] == {
        "number": "A",
        "operator": "default",
        "balance": "-5.00",
        "credit_limit": "0.00",
    }


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_an_act_on_a_service_names_it_and_keeps_the_nulls_it_said(
    books: Any, call: Call
) -> None:
    await books.open("A")
    tariff = {"name": "T", "service": "internet", "price": "1.00"}
    assert (await call("POST", "/tariffs", json=tariff))[0] == 201
    _, made = await call("POST", "/contracts/A/services", json={"tariff": "T"})
    one = f"/contracts/A/services/{made['id']}"
    for day in ("2027-01-31", None):
        assert (await call("POST", one, json={"ends_on": day}))[0] == 200
    _, page = await call("GET", "/audit?subject=contract:A")
    assert [act["asked"] for act in page["items"]] == [
        {"ends_on": None, "service": made["id"]},
        {"ends_on": "2027-01-31", "service": made["id"]},
        {"tariff": "T", "service": made["id"]},
    ]


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_a_null_that_is_said_is_another_body(books: Any, call: Call) -> None:
    await books.open("A")
    keyed = {"Idempotency-Key": "k-1"}
    for body, status in (({"block": None}, 200), ({"main": None}, 409), ({"block": None}, 200)):
        given, answer = await call("POST", "/contracts/A/terms", json=body, headers=keyed)
        assert (given, answer.get("code")) == (
            status,
            "idempotency_conflict" if status == 409 else None,
        )


async def test_acts_are_found_newest_first(books: Any, call: Call) -> None:
    for n in range(6):
        async with transaction(books.db) as tx:
            at, actor = AT + timedelta(days=n), ("Ольга", "Пётр")[n % 2]
            action, subject = ("payment.create", "term.set")[n // 4], f"contract:{n % 3}"
            await audit.add(tx, at, actor, action, subject, {"n": n}, f"c-{n}")
    for query, found in (
        ({}, [5, 4, 3, 2, 1, 0]),
        ({"actor": "Пётр"}, [5, 3, 1]),
        ({"action": "term.set"}, [5, 4]),
        ({"subject": "contract:2"}, [5, 2]),
        ({"subject": "contract:2", "actor": "Ольга"}, [2]),
        ({"from": "2026-11-24", "to": "2026-11-25"}, [3, 2]),
        ({"actor": "nobody"}, []),
    ):
        status, page = await call("GET", "/audit", params=query)
        assert (status, [act["asked"]["n"] for act in page["items"]]) == (200, found), query
        assert page["next_cursor"] is None
    _, first = await call("GET", "/audit?limit=4")
    _, second = await call("GET", f"/audit?limit=4&cursor={first['next_cursor']}")
    assert [act["asked"]["n"] for act in first["items"] + second["items"]] == [5, 4, 3, 2, 1, 0]
    assert second["next_cursor"] is None


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_the_log_has_a_right_of_its_own(books: Any, call: Call) -> None:
    assert (await call("GET", "/audit", token="none"))[0] == 403
    for query in ("limit=201", "cursor=x", "from=1", "actor=", "who=x"):
        assert (await call("GET", f"/audit?{query}"))[0] == 422
    status, refused = await call("GET", "/audit?from=2026-11-22&to=2026-11-21")
    assert (status, refused["code"]) == (422, "range_reversed")
