"""The API as the operator's own systems call it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient

from core_billing import corrections, refund_booking, refunds
from core_billing.refund_notices import Notice
from core_billing.web import api
from shared import idempotency, problem
from shared.crypto import token_hash
from shared.db import transaction
from shared.money import Money
from shared.settings import ApiToken

TOKENS = {
    token_hash("demo"): ApiToken(name="demo", scopes=("contracts:write", "payments:read")),
    token_hash("other"): ApiToken(name="other", scopes=("contracts:write",)),
    token_hash("reader"): ApiToken(name="reader", scopes=("contracts:read",)),
}
SUBSCRIBER = {"name": "Анна", "phone": "+79161234567", "email": "a@example.ru"}
BODY = {"number": "100245", "subscriber": SUBSCRIBER, "balance": "-1200.00", "password": "demo"}

Call = Callable[..., Awaitable[tuple[int, Any]]]

# What is refused before any statement is the same on both databases.
on_sqlite = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


@pytest.fixture
async def call(books: Any, aiohttp_client: Any) -> Call:
    """Call the API as the demo token; returns status and body."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    client: TestClient[Any, Any] = await aiohttp_client(root)

    async def send(method: str, path: str, **options: Any) -> tuple[int, Any]:
        token = options.pop("token", "demo")
        headers = {"Authorization": f"Bearer {token}", **options.pop("headers", {})}
        path = path if path.startswith("/api") else f"/api/v1{path}"
        answer = await client.request(method, path, headers=headers, **options)
        text = await answer.text()
        return answer.status, json.loads(text) if "json" in answer.content_type else text

    return send


def at_path(body: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """Return the body with one field changed."""
    outer, _, inner = field.partition(".")
    return {**body, outer: {**body[outer], inner: value} if inner else value}


async def test_a_contract_is_opened_and_shown(call: Call) -> None:
    status, made = await call("POST", "/contracts", json={**BODY, "credit_limit": "500.00"})
    assert status == 201
    assert datetime.fromisoformat(made.pop("created_at")).tzinfo is not None
    assert made.pop("subscriber_id")
    assert made == {
        "number": "100245",
        "balance": "-1200.00",
        "available": "-700.00",
        "currency": "RUB",
        "status": "open",
        "credit_limit": "500.00",
        "low_balance": "100.00",
        "operator": "default",
    }
    status, shown = await call("GET", "/contracts/100245")
    assert status == 200
    assert {key: shown[key] for key in made} == made


async def test_an_own_threshold_is_shown(call: Call) -> None:
    assert (await call("POST", "/contracts", json={**BODY, "low_balance": "-5.00"}))[0] == 201
    assert (await call("GET", "/contracts/100245"))[1]["low_balance"] == "-5.00"


async def test_the_same_contract_again_is_fine_and_another_is_a_conflict(call: Call) -> None:
    _, made = await call("POST", "/contracts", json=BODY)
    assert await call("POST", "/contracts", json=BODY) == (200, made)
    for field, value in (
        ("password", "Demo"),
        ("password", None),
        ("balance", "-1200.01"),
        ("subscriber.name", "Игорь"),
    ):
        status, refused = await call("POST", "/contracts", json=at_path(BODY, field, value))
        assert status == 409
        assert [item["field"] for item in refused["errors"]] == [field]
        assert "100245" in refused["detail"]
    status, refused = await call(
        "POST", "/contracts", json=at_path(BODY, "balance", "1"), headers={"Accept-Language": "ru"}
    )
    assert (status, refused["title"]) == (409, "Противоречие")
    assert await call("GET", "/contracts/100245") == (200, made)


async def test_an_idempotency_key_keeps_the_first_answer(books: Any, call: Call) -> None:
    keyed = {"headers": {"Idempotency-Key": "k-1"}}
    first = await call("POST", "/contracts", json=BODY, **keyed)
    assert first[0] == 201
    await books.arrive(books.paid("p1", 100, ("100245", 100)))
    assert await call("POST", "/contracts", json=BODY, **keyed) == first
    status, _ = await call("POST", "/contracts", json={**BODY, "number": "2"}, **keyed)
    assert status == 409
    assert (await call("GET", "/contracts/2"))[0] == 404
    status, now = await call("POST", "/contracts", json=BODY, headers={"Idempotency-Key": "k-2"})
    assert (status, now["balance"]) == (200, "-1199.00")
    status, _ = await call(
        "POST", "/contracts", json={**BODY, "number": "3"}, token="other", **keyed
    )
    assert status == 201


async def test_a_refused_request_leaves_its_key_free(call: Call) -> None:
    await call("POST", "/contracts", json=BODY)
    keyed = {"headers": {"Idempotency-Key": "k-1"}}
    assert (await call("POST", "/contracts", json={**BODY, "balance": "1"}, **keyed))[0] == 409
    assert (await call("POST", "/contracts", json={**BODY, "number": "2"}, **keyed))[0] == 201


@pytest.mark.parametrize("key", ["", "x" * 65, "a b", "ключ"])
async def test_a_malformed_key_is_refused(call: Call, key: str) -> None:
    status, refused = await call("POST", "/contracts", json=BODY, headers={"Idempotency-Key": key})
    assert status == 422
    assert refused["errors"][0]["field"] == "Idempotency-Key"


async def test_eight_with_one_key_get_one_answer(books: Any, call: Call) -> None:
    keyed = {"headers": {"Idempotency-Key": "k-1"}}
    answers = await asyncio.gather(
        *(call("POST", "/contracts", json=BODY, **keyed) for _ in range(8))
    )
    assert all(answer == answers[0] for answer in answers), answers
    assert answers[0][0] == 201
    assert await books.balances() == {"100245": -120_000}


async def test_eight_without_a_key_open_one_contract(books: Any, call: Call) -> None:
    answers = await asyncio.gather(*(call("POST", "/contracts", json=BODY) for _ in range(8)))
    statuses = [status for status, _ in answers]
    assert statuses.count(201) == 1
    assert set(statuses) <= {200, 201, 503}
    assert (await call("POST", "/contracts", json=BODY))[0] == 200
    assert await books.balances() == {"100245": -120_000}


async def test_old_keys_are_forgotten(books: Any, call: Call, monkeypatch: Any) -> None:
    for n in range(3):
        keyed = {"headers": {"Idempotency-Key": f"k-{n}"}}
        await call("POST", "/contracts", json={**BODY, "number": f"{n}"}, **keyed)
    week = books.clock() + idempotency.KEEP
    assert await idempotency.prune(books.db, week) == 0
    keyed = {"headers": {"Idempotency-Key": "k-0"}}
    assert (await call("POST", "/contracts", json={**BODY, "number": "9"}, **keyed))[0] == 409
    monkeypatch.setattr(idempotency, "PRUNE_MAX", 2)
    week += timedelta(microseconds=1)
    assert [await idempotency.prune(books.db, week) for _ in range(3)] == [2, 1, 0]
    assert (await call("POST", "/contracts", json={**BODY, "number": "9"}, **keyed))[0] == 201


@on_sqlite
@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("balance", v) for v in ("NaN", "1.005", "1e9", "9" * 20, 1, 1.5, None, [], {})),
        *(("credit_limit", v) for v in ("-0.01", "-5", "NaN")),
        ("low_balance", "abc"),
        *(("number", v) for v in ("", "a b", "x" * 65, "a\x00", 7, None)),
        *(("subscriber", v) for v in (None, "Anna", [])),
        *(("subscriber.phone", v) for v in ("12", 5)),
        *(("subscriber.email", v) for v in ("nobody", None)),
        ("password", "abc"),
        ("currency", "USD"),
        ("surprise", 1),
    ],
)
async def test_a_wrong_field_is_refused_by_name(
    books: Any, call: Call, field: str, value: Any
) -> None:
    status, refused = await call("POST", "/contracts", json=at_path(BODY, field, value))
    assert status == 422
    assert [item["field"] for item in refused["errors"]] == [field]
    assert await books.contracts() == []
    assert await books.said() == []


@on_sqlite
@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"[]", "headers": {"Content-Type": "application/json"}}, 422),
        ({"data": b'{"number": NaN}', "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"\xff\xfe", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": b"a=1", "headers": {"Content-Type": "text/plain"}}, 415),
        ({"data": b" " * 70_000, "headers": {"Content-Type": "application/json"}}, 413),
        ({"json": BODY, "token": "wrong"}, 401),
        ({"json": BODY, "token": "reader"}, 403),
    ],
)
async def test_an_unreadable_or_foreign_request(call: Call, options: Any, status: int) -> None:
    assert (await call("POST", "/contracts", **options))[0] == status


async def test_reading_needs_its_scope(call: Call) -> None:
    await call("POST", "/contracts", json=BODY)
    assert (await call("GET", "/contracts/100245", token="reader"))[0] == 200
    assert (await call("GET", "/payments?provider_payment_id=x", token="reader"))[0] == 403
    for path in ("/contracts/100245", "/contracts/100245/entries", "/payments"):
        assert (await call("GET", path, token="wrong"))[0] == 401


@pytest.mark.parametrize("number", ["2", "a%20b", "x" * 65, "..%2F..", "%ff"])
async def test_an_unknown_contract_is_not_found(call: Call, number: str) -> None:
    await call("POST", "/contracts", json=BODY)
    for path in (f"/contracts/{number}", f"/contracts/{number}/entries"):
        status, refused = await call("GET", path)
        assert (status, refused["status"]) == (404, 404)


@pytest.mark.parametrize(
    "path",
    [
        "/contracts/%00",
        "/contracts/%D0%B6%00/entries",
        "/contracts/100245/entries?cursor=%00",
        "/payments?provider_payment_id=%00",
        "/payments?provider_payment_id=x&provider=%00",
    ],
)
async def test_a_zero_byte_reaches_no_database(call: Call, path: str) -> None:
    await call("POST", "/contracts", json=BODY)
    status, refused = await call("GET", path)
    assert status in (400, 404, 422)
    assert refused["status"] == status


async def test_entries_newest_first_in_pages(books: Any, call: Call) -> None:
    await call("POST", "/contracts", json=BODY)
    await call("POST", "/contracts", json={**BODY, "number": "2", "balance": "0"})
    for n in range(1, 6):
        await books.post(books.paid(f"p{n}", n * 100, ("100245", n * 100)))
        await books.post(books.paid(f"other{n}", 7, ("2", 7)))
    _, whole = await call("GET", "/contracts/100245/entries")
    assert [(e["amount"], e["balance"]) for e in whole["items"]] == [
        ("5.00", "-1185.00"),
        ("4.00", "-1190.00"),
        ("3.00", "-1194.00"),
        ("2.00", "-1197.00"),
        ("1.00", "-1199.00"),
        ("-1200.00", "-1200.00"),
    ]
    assert whole["next_cursor"] is None
    newest, opening = whole["items"][0], whole["items"][-1]
    assert newest["provider"] == "yookassa:100500"
    assert newest["provider_payment_id"] == "p5"
    assert newest["reference"] == "payment:yookassa:100500:p5"
    assert (newest["kind"], newest["currency"]) == ("payment", "RUB")
    assert newest["paid_at"] == "2026-11-22T11:59:00Z"
    assert newest["registered_at"] == "2026-11-22T12:00:00Z"
    assert (opening["kind"], opening["provider"], opening["provider_payment_id"]) == (
        "opening",
        None,
        None,
    )
    assert opening["reference"] == "opening:100245"
    pages, cursor = [], ""
    for _ in range(3):
        _, page = await call("GET", f"/contracts/100245/entries?limit=2{cursor}")
        pages += page["items"]
        cursor = f"&cursor={page['next_cursor']}"
    assert pages == whole["items"]
    assert page["next_cursor"] is None


async def test_a_correction_shows_what_was_undone(books: Any, call: Call) -> None:
    for number in ("1", "2"):
        await call("POST", "/contracts", json={**BODY, "number": number, "balance": "0"})
    await books.post(books.paid("p1", 500, ("1", 500)))
    async with transaction(books.db) as tx:
        reference, at = ("payment:yookassa:100500", "p1"), books.clock()
        await corrections.correct(tx, reference, 1, [("1", 100), ("2", 400)], at)
    _, first = await call("GET", "/contracts/1/entries")
    assert [(e["kind"], e["amount"], e["balance"], e["reference"]) for e in first["items"]] == [
        ("correction", "1.00", "1.00", "payment:yookassa:100500:p1#2"),
        ("reversal", "-5.00", "0.00", "payment:yookassa:100500:p1#2"),
        ("payment", "5.00", "5.00", "payment:yookassa:100500:p1"),
    ]
    cursor = ""
    one_by_one = []
    for _ in range(3):
        _, page = await call("GET", f"/contracts/1/entries?limit=1{cursor}")
        one_by_one += page["items"]
        cursor = f"&cursor={page['next_cursor']}"
    assert one_by_one == first["items"]
    _, second = await call("GET", "/contracts/2/entries")
    assert [(e["kind"], e["amount"]) for e in second["items"]] == [("correction", "4.00")]


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "limit=-1",
        "cursor=x",
        "cursor=1",
        "cursor=1.1.1",
        "cursor=" + "9" * 19 + ".1",
        "cursor=1.-",
        "page=2",
    ],
)
async def test_a_wrong_page_is_refused_by_name(call: Call, query: str) -> None:
    await call("POST", "/contracts", json=BODY)
    status, refused = await call("GET", f"/contracts/100245/entries?{query}")
    assert status == 422
    assert [item["field"] for item in refused["errors"]] == [query.partition("=")[0]]


async def test_where_a_payment_is(books: Any, call: Call) -> None:
    await call("POST", "/contracts", json=BODY)
    await books.arrive(
        books.paid("p1", 100, ("100245", 60), ("nobody", 40), order_id="o-1", method="sbp"),
        books.paid("p1", 7, ("100245", 7), provider="other:1"),
    )
    await books.arrive(books.paid("p1", 101, ("100245", 101)))
    _, found = await call("GET", "/payments?provider_payment_id=p1")
    ours, other = sorted(found["items"], key=lambda item: item["provider"], reverse=True)
    assert (ours["provider"], ours["amount"], ours["status"]) == (
        "yookassa:100500",
        "1.00",
        "suspense",
    )
    assert (ours["reason"], ours["order_id"], ours["method"]) == ("unknown_contract", "o-1", "sbp")
    assert ours["holders"] == [
        {"contract": "100245", "account": "contract:100245", "amount": "0.60"},
        {"contract": None, "account": "suspense:yookassa:100500", "amount": "0.40"},
    ]
    assert (other["status"], other["reason"], other["amount"]) == ("posted", None, "0.07")
    assert [(u["amount"], u["reason"], u["contract"]) for u in found["uncredited"]] == [
        ("1.01", "another_amount", "100245")
    ]
    _, narrowed = await call("GET", "/payments?provider_payment_id=p1&provider=other:1")
    assert (narrowed["items"], narrowed["uncredited"]) == ([other], [])
    async with transaction(books.db) as tx:
        reference, at = ("payment:yookassa:100500", "p1"), books.clock()
        await corrections.correct(tx, reference, 1, [("100245", 100)], at)
    _, moved = await call("GET", "/payments?provider_payment_id=p1&provider=yookassa:100500")
    [item] = moved["items"]
    assert (item["id"], item["revision"], item["status"]) == (ours["id"], 2, "posted")
    assert item["holders"] == [
        {"contract": "100245", "account": "contract:100245", "amount": "1.00"}
    ]
    assert item["registered_at"] == ours["registered_at"]


async def test_refunds_stand_in_the_entries_and_beside_their_payment(
    books: Any, call: Call
) -> None:
    await call("POST", "/contracts", json=BODY)
    shares = (("100245", 60), ("nobody", 40))
    await books.arrive(books.paid("p1", 100, *shares))
    async with transaction(books.db) as tx:
        rules, reference, at = books.core.rules, ("payment:yookassa:100500", "p1"), books.clock()
        asked = await refunds.request_refund(tx, rules, reference, 50, "", at)
        sent = Notice(
            *(uuid4(), "c-1", True, "yookassa:100500", "p1", "r1"),
            *(None, 50, "", at),
        )
        await refund_booking.apply(tx, rules, [sent], at)
    _, page = await call("GET", "/contracts/100245/entries?limit=2")
    newest, second = page["items"]
    assert (newest["kind"], newest["amount"], newest["provider"]) == (
        "refund",
        "-0.30",
        "yookassa:100500",
    )
    assert (newest["reference"], newest["provider_payment_id"]) == (
        "refund:yookassa:100500:r1",
        "p1",
    )
    assert (second["reference"], second["provider_payment_id"]) == (
        f"refund-request:yookassa:100500:{asked}",
        "p1",
    )
    assert Money.parse(second["balance"]).kopecks - Money.parse(newest["balance"]).kopecks == 30
    _, found = await call("GET", "/payments?provider_payment_id=p1")
    [item] = found["items"]
    assert item["holders"] == []
    assert item["refunds"] == [
        {
            "refund_id": asked,
            "provider_refund_id": None,
            "amount": "0.50",
            "status": "requested",
        },
        {
            "refund_id": None,
            "provider_refund_id": "r1",
            "amount": "0.50",
            "status": "succeeded",
        },
    ]
    async with transaction(books.db) as tx:
        await refund_booking.apply(tx, rules, [replace(sent, amount_kopecks=51)], at)
    _, odd = await call("GET", "/payments?provider_payment_id=r1&provider=yookassa:100500")
    assert [(u["provider"], u["amount"], u["reason"]) for u in odd["uncredited"]] == [
        ("yookassa:100500", "-0.51", "another_amount")
    ]


async def test_an_unknown_payment_is_an_empty_answer(call: Call) -> None:
    await call("POST", "/contracts", json=BODY)
    for known in ("nothing", "100245"):
        _, found = await call("GET", f"/payments?provider_payment_id={known}")
        assert found == {"items": [], "uncredited": []}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("provider_payment_id=", "provider_payment_id"),
        ("provider_payment_id=" + "x" * 129, "provider_payment_id"),
        ("provider_payment_id=x&provider=a%0Ab", "provider"),
        ("provider_payment_id=x&y=1", "y"),
    ],
)
async def test_a_wrong_question_is_refused_by_name(call: Call, query: str, field: str) -> None:
    status, refused = await call("GET", f"/payments?{query}")
    assert status == 422
    assert [item["field"] for item in refused["errors"]] == [field]


async def test_the_document_names_every_address(call: Call) -> None:
    status, document = await call("GET", "/openapi.json")
    assert status == 200
    assert set(document["paths"]) >= {
        "/api/v1/contracts",
        "/api/v1/contracts/{number}",
        "/api/v1/contracts/{number}/entries",
        "/api/v1/payments",
    }
