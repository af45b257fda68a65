"""Statements: what a contract had, what came and went, and that no balance is missing between."""

import csv
import io
import json
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from openpyxl import load_workbook

from core_billing import corrections, export, ledger, operations, statement
from core_billing.drafts import Part, Payment
from core_billing.web import api, exporting
from shared import problem
from shared.crypto import token_hash
from shared.db import reading, transaction
from shared.settings import ApiToken

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKENS = {
    token_hash("all"): ApiToken(name="all", scopes=("contracts:read",)),
    token_hash("none"): ApiToken(name="none", scopes=("payments:write",)),
}
Call = Callable[..., Awaitable[Any]]
ON_SQLITE = pytest.mark.parametrize("db", ["sqlite"], indirect=True)


@pytest.fixture
async def get(books: Any, aiohttp_client: Any) -> Call:
    """Read from the API; returns status and body, bytes where it is a file."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    client = await aiohttp_client(root)

    async def send(path: str, token: str = "all", **query: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = await client.get(f"/api/v1/contracts/{path}", params=query, headers=headers)
        raw = await answer.read()
        return answer.status, json.loads(raw) if "json" in answer.content_type else raw

    return send


async def post(books: Any, source: str, key: str, kopecks: int, number: str, **more: Any) -> None:
    """Post one operation of any source on a contract."""
    paid_at = more.pop("paid_at", books.clock())
    await books.post(Payment(source, key, kopecks, ((number, kopecks),), paid_at, **more))


async def move(books: Any, key: str, giver: str, taker: str, kopecks: int) -> None:
    """Move money between contracts."""
    parts = [Part(1, f"contract:{giver}", -kopecks), Part(2, f"contract:{taker}", kopecks)]
    async with transaction(books.db) as tx:
        moved = Payment("transfer", key, 0, (), books.clock())
        await operations.carry_out(tx, books.core.rules, moved, parts, books.clock(), "c")


async def three_days(books: Any) -> None:
    """Let a contract have a bit of everything on three days."""
    await books.open(books.asked("A", "-50.00"), "B")
    await books.post(books.paid("p1", 10_000, ("A", 10_000)))
    books.clock.advance(timedelta(days=1))
    await post(books, "fee:internet", "1:2026-11", -3_000, "A")
    await post(books, "cash:desk", "c1", 700, "A", paid_at=AT - timedelta(days=9))
    books.clock.advance(timedelta(days=1))
    await move(books, "t1", "A", "B", 500)
    async with transaction(books.db) as tx:
        reference, at = ("payment:yookassa:100500", "p1"), books.clock()
        await corrections.correct(tx, reference, 1, [("A", 4_000), ("B", 1_000), ("A", 5_000)], at)
        await corrections.correct(tx, reference, 2, [("A", 10_000)], at)


async def test_a_statement_of_a_day_and_of_everything(books: Any, get: Call) -> None:
    await three_days(books)
    status, day = await get("A/statement", **{"from": "2026-11-23", "to": "2026-11-23"})
    assert status == 200
    assert [day[n] for n in ("opening", "credited", "debited", "closing", "from", "to")] == [
        *("50.00", "7.00", "30.00", "27.00", "2026-11-23", "2026-11-23")
    ]
    assert [(e["kind"], e["fee"], e["amount"], e["balance"]) for e in day["items"]] == [
        ("fee", "internet", "-30.00", "20.00"),
        ("payment", None, "7.00", "27.00"),
    ]
    assert day["items"][1]["paid_at"] == "2026-11-13T12:00:00Z"
    _, whole = await get("A/statement")
    assert [(e["kind"], e["amount"], e["balance"]) for e in whole["items"]] == [
        ("opening", "-50.00", "-50.00"),
        ("payment", "100.00", "50.00"),
        ("fee", "-30.00", "20.00"),
        ("payment", "7.00", "27.00"),
        ("transfer", "-5.00", "22.00"),
        ("reversal", "-100.00", "-78.00"),
        ("correction", "40.00", "-38.00"),
        ("correction", "50.00", "12.00"),
        ("reversal", "-40.00", "-28.00"),
        ("reversal", "-50.00", "-78.00"),
        ("correction", "100.00", "22.00"),
    ]
    assert (whole["opening"], whole["closing"]) == ("0.00", "22.00")
    _, earlier = await get("A/statement", to="2026-11-22")
    assert (earlier["closing"], len(earlier["items"])) == ("50.00", 2)
    _, later = await get("A/statement", **{"from": "2026-11-25"})
    assert (later["opening"], later["closing"], later["items"]) == ("22.00", "22.00", [])
    pages, cursor = [], {}
    while True:
        _, page = await get("A/statement", limit="3", **cursor)
        assert (page["opening"], page["closing"]) == ("0.00", "22.00")
        pages += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = {"cursor": page["next_cursor"]}
    assert pages == whole["items"]


@ON_SQLITE
async def test_questions_that_are_refused(books: Any, get: Call) -> None:
    await books.open("A")
    turned = {"from": "2026-11-23", "to": "2026-11-22"}
    for path in ("statement", "statement/export"):
        status, refused = await get(f"A/{path}", **turned)
        assert (status, refused["code"]) == (422, "range_reversed")
        status, refused = await get(f"B/{path}")
        assert (status, refused["code"]) == (404, "contract_unknown")
        assert (await get(f"A/{path}", token="none"))[0] == 403
        assert (await get(f"A/{path}", **{"from": "1764028800"}))[0] == 422
    assert (await get("A/statement", cursor="x"))[0] == 422


@ON_SQLITE
async def test_files_of_a_statement(books: Any, get: Call, monkeypatch: Any) -> None:
    await three_days(books)
    monkeypatch.setattr(exporting, "PAGE", 2)
    _, raw = await get("A/statement/export", **{"from": "2026-11-23"})
    rows = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline=""), delimiter=";"))
    assert rows[0][:5] == ["Дата регистрации", "Дата платежа", "Операция", "Сумма", "Баланс"]
    assert rows[1] == ["23.11.2026", "", "Остаток на начало", "", "50,00", ""]
    assert rows[2][2:5] == ["Абонентская плата: internet", "-30,00", "20,00"]
    assert rows[3][2:5] == ["Оплата наличными", "7,00", "27,00"]
    assert (len(rows), rows[-1][2:5]) == (12, ["Остаток на конец", "", "22,00"])
    _, raw = await get("A/statement/export", format="xlsx", lang="en")
    sheet = [[cell.value for cell in row] for row in load_workbook(io.BytesIO(raw)).worksheets[0]]
    assert (sheet[3][2:5], sheet[-1][2:5]) == (
        ["Payment received", 100, 50],
        ["Closing balance", None, 22],
    )
    monkeypatch.setitem(export.ROWS_MAX, "csv", 10)
    status, refused = await get("A/statement/export")
    assert (status, refused["code"]) == (422, "export_too_large")
    assert (await get("A/statement/export", **{"from": "2026-11-23"}))[0] == 200


@ON_SQLITE
async def test_any_statement_equals_the_ledger(books: Any) -> None:
    """Random operations on a week; for every period the statement is what a model says."""
    dice = random.Random(5)
    start, told = books.clock(), []
    await books.open("A", "B")
    ids = {one.number: one for one in await books.contracts()}
    for n in range(60):
        # Now and then one is registered before its turn, as by a transaction that waited.
        back = timedelta(seconds=dice.choice([0, 0, 0, 50_000]))
        at = books.clock() - back
        kopecks = dice.choice([-700, 300, 1_100])
        number = dice.choice("AB")
        made = Payment("cash:desk", f"n{n}", kopecks, ((number, kopecks),), at)
        async with transaction(books.db) as tx:
            await ledger.post(tx, [made], at)
        told.append((number, kopecks, at))
        books.clock.advance(timedelta(hours=dice.randint(0, 6)))
    days = [start.date() + timedelta(days=n) for n in range(-1, 9)]
    balances = await books.balances()
    async with reading(books.db) as tx:
        for number in "AB":
            mine = [(kopecks, at) for whose, kopecks, at in told if whose == number]
            periods = [(b, e) for b in days for e in days if b <= e]
            for begins, ends in dice.sample(periods, 20):
                await _compare(tx, books, ids[number], begins, ends, mine)
            span = await statement.span(tx, ids[number], None, None)
            assert (await statement.balances(tx, span)).closing_kopecks == balances[number]


async def _compare(tx: Any, books: Any, contract: Any, begins: date, ends: date, mine: Any) -> None:
    rules = books.core.rules
    low, high = rules.start(begins), rules.start(ends + timedelta(days=1))
    span = await statement.span(tx, contract, low, high)
    balances = await statement.balances(tx, span)
    entries = await statement.entries(tx, span, None, 1000)
    first = next((n for n, (_, at) in enumerate(mine) if at >= low), len(mine))
    end = next((n for n, (_, at) in enumerate(mine) if at >= high), len(mine))
    assert [e.amount_kopecks for e in entries] == [kopecks for kopecks, _ in mine[first:end]]
    assert balances.opening_kopecks == sum(kopecks for kopecks, _ in mine[:first])
    assert balances.closing_kopecks == sum(kopecks for kopecks, _ in mine[:end])
    kept = balances.opening_kopecks
    for entry in entries:
        kept += entry.amount_kopecks
        assert entry.balance_kopecks == kept
    assert (kept, len(entries)) == (balances.closing_kopecks, balances.entries)
