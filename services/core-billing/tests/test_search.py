"""Payments looked for: each filter alone, pages, totals, and all of it against a small model."""

import asyncio
import csv
import io
import json
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import load_workbook
from sqlalchemy import text

from core_billing import (
    corrections,
    export,
    operations,
    payment_list,
    policy_rows,
    search,
    time_limit,
)
from core_billing.desk import desk
from core_billing.drafts import Part, Payment
from core_billing.payment_filter import Filter, Kind, Status
from core_billing.revisions import revision
from core_billing.web import api, exporting
from shared import problem
from shared.crypto import token_hash
from shared.db import reading, transaction
from shared.errors import Invalid
from shared.money import Money
from shared.settings import ApiToken

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TOKENS = {
    token_hash("all"): ApiToken(name="Ольга", scopes=("*",)),
    token_hash("none"): ApiToken(name="none", scopes=("contracts:read",)),
}
Call = Callable[..., Awaitable[Any]]


async def _client(books: Any, aiohttp_client: Any) -> TestClient[Any, Any]:
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    client: TestClient[Any, Any] = await aiohttp_client(root)
    return client


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """A loop of the test's own: hypothesis calls functions, not coroutines."""
    with asyncio.Runner() as made:
        yield made


@pytest.fixture
async def get(books: Any, aiohttp_client: Any) -> Call:
    """Read from the API; returns status and body, bytes where it is a file."""
    client = await _client(books, aiohttp_client)

    async def send(path: str, token: str = "all", **query: Any) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}"}
        answer = await client.get(f"/api/v1{path}", params=query, headers=headers)
        raw = await answer.read()
        return answer.status, json.loads(raw) if "json" in answer.content_type else raw

    return send


async def post_by(
    books: Any, source: str, key: str, kopecks: int, *shares: Any, **more: Any
) -> int:
    """Post an operation of another source; returns its id."""
    paid_at = more.pop("paid_at", AT)
    [done] = await books.post(Payment(source, key, kopecks, shares, paid_at, **more))
    return int(done.payment_id)


async def note(books: Any, payment_id: int, **columns: Any) -> None:
    """Write beside a payment what the desk would."""
    empty = {"receipt_number": None, "payment_order_number": None, "comment": ""}
    row = {**empty, "payment_id": payment_id, "manager": "Ольга", "operator": "default"}
    async with transaction(books.db) as tx:
        await tx.execute(desk.insert().values({**row, **columns}))


async def correct(books: Any, reference: Any, revision: int, *shares: Any) -> int:
    """Put a payment elsewhere, as a manager; returns the id of the new revision."""
    async with transaction(books.db) as tx:
        done = await corrections.correct(tx, reference, revision, shares, books.clock())
        await say(tx, books, done.payment_id, "move", "не туда")
    return int(done.payment_id)


async def say(tx: Any, books: Any, payment_id: int, action: str, reason: str) -> None:
    """Write down why a manager has written a revision."""
    said = {"payment_id": payment_id, "action": action, "reason": reason}
    row = {**said, "manager": "Пётр", "at": books.clock()}
    await tx.execute(revision.insert().values(row))


@pytest.fixture
async def busy(books: Any) -> Any:
    """Books with one of each kind; the keys of payments are what they are called below."""
    await books.open("A", books.asked("B", "-50.00"))
    await books.post(
        books.paid("card", 10_000, ("A", 10_000), method="bank_card", order_id="o-1"),
        books.paid("sbp", 20_000, ("B", 20_000), method="sbp", provider="tbank:1", category=7),
        books.paid("lost", 5, ("nobody", 5)),
    )
    books.clock.advance(timedelta(days=1))
    cash = await post_by(books, "cash:Ольга", "cash", 30_000, ("A", 30_000), method="cash")
    await note(books, cash, receipt_number="К-17", comment="за Интернет, 100 %")
    bank = await post_by(books, "bank:default", "bank", 40_000, ("B", 40_000), method="cashless")
    await note(books, bank, payment_order_number="318", comment="=1+1", manager="Пётр")
    books.clock.advance(timedelta(days=1))
    await correct(books, ("payment:yookassa:100500", "card"), 1, ("B", 10_000))
    await correct(books, ("bank:default", "bank"), 1)
    async with transaction(books.db) as tx:
        moved = Payment("transfer", "move", 0, (), books.clock())
        parts = [Part(1, "contract:A", -7), Part(2, "contract:B", 7)]
        done = await operations.carry_out(tx, books.core.rules, moved, parts, books.clock(), "c")
        await say(tx, books, done.payment_id, "transfer", "просил сам")
    return books


FILTERS: list[tuple[dict[str, str], str]] = [
    ({}, "bank cash lost sbp card"),
    ({"contract": "A"}, "cash"),
    ({"contract": "B"}, "bank sbp card"),
    ({"contract": "B", "status": "annulled"}, "bank"),
    ({"provider": "tbank:1"}, "sbp"),
    ({"provider": "tbank:1", "kind": "card"}, ""),
    ({"provider_payment_id": "card"}, "card"),
    ({"provider_payment_id": "cash"}, ""),
    ({"kind": "online"}, "lost sbp card"),
    ({"kind": "card"}, "card"),
    ({"kind": "sbp"}, "sbp"),
    ({"kind": "cash"}, "cash"),
    ({"kind": "cashless"}, "bank"),
    ({"kind": "opening"}, "B"),
    ({"kind": "transfer"}, "move"),
    ({"kind": "transfer", "contract": "A"}, "move"),
    ({"kind": "transfer", "amount_from": "0.07", "manager": "Пётр"}, "move"),
    ({"kind": "transfer", "amount_from": "0.08"}, ""),
    ({"kind": "write_off"}, ""),
    ({"method": "cash"}, "cash"),
    ({"category": "7"}, "sbp"),
    ({"manager": "Ольга"}, "cash"),
    ({"amount_from": "200", "amount_to": "300,00"}, "cash sbp"),
    ({"amount_to": "0"}, "bank"),
    ({"paid_to": "2026-11-21"}, ""),
    ({"paid_from": "2026-11-22", "paid_to": "2026-11-22"}, "bank cash lost sbp card"),
    ({"registered_from": "2026-11-23"}, "bank cash"),
    ({"registered_to": "2026-11-22"}, "lost sbp card"),
    ({"receipt_number": "К-17"}, "cash"),
    ({"payment_order_number": "318"}, "bank"),
    ({"order_id": "o-1"}, "card"),
    ({"status": "posted"}, "cash sbp card"),
    ({"status": "suspense"}, "lost"),
    ({"status": "annulled"}, "bank"),
    ({"status": "corrected"}, "card"),
    ({"q": "100 %"}, "cash"),
    ({"q": "К-1"}, "cash"),
    ({"q": "%"}, "cash"),
    ({"q": "o-1"}, "card"),
    ({"q": "sbp"}, "sbp"),
    ({"q": "sb"}, ""),
]


async def found_by(get: Call, query: dict[str, str]) -> str:
    """Return the keys of the payments that a filter finds; its totals must be theirs."""
    status, page = await get("/payments", **query, totals="true")
    assert status == 200, page
    sums = [int(item["amount"].replace(".", "")) for item in page["items"]]
    totals = page["totals"]
    assert (totals["count"], int(totals["amount"].replace(".", ""))) == (len(sums), sum(sums))
    return " ".join(item["reference"].rpartition(":")[2] for item in page["items"])


async def test_each_filter_finds_its_payments(busy: Any, get: Call) -> None:
    wrong = {}
    for query, expected in FILTERS:
        if (keys := await found_by(get, query)) != expected:
            wrong[str(query)] = (keys, expected)
    assert wrong == {}


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_pages_follow_each_other(busy: Any, get: Call) -> None:
    _, whole = await get("/payments")
    assert (whole["next_cursor"], whole["uncredited"], "totals" in whole) == (None, [], False)
    pages: list[Any] = []
    query: dict[str, str] = {"limit": "2"}
    for size in (2, 2, 1):
        _, page = await get("/payments", **query)
        assert len(page["items"]) == size
        pages += page["items"]
        query["cursor"] = str(page["next_cursor"])
    assert (pages, page["next_cursor"]) == (whole["items"], None)


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_one_payment_by_any_of_its_revisions(busy: Any, get: Call) -> None:
    _, page = await get("/payments", kind="card")
    [card] = page["items"]
    async with reading(busy.db) as tx:
        [row] = await payment_list.page(tx, Filter(kind=Kind.CARD), None, 9)
    for known in (row.id, row.newest_id):
        assert await get(f"/payments/{known}") == (200, card)
    assert card["holders"] == [{"contract": "B", "account": "contract:B", "amount": "100.00"}]
    assert (card["revision"], card["status"], card["kind"]) == (2, "posted", "online")
    assert (card["corrected_by"], card["correction"], card["correction_reason"]) == (
        *("Пётр", "move"),
        "не туда",
    )
    assert card["corrected_at"] == "2026-11-24T12:00:00Z"
    for unknown in ("x", "9" * 19):
        assert (await get(f"/payments/{unknown}"))[0] == 404
    for unknown in ("0", "999", "9" * 18):
        status, refused = await get(f"/payments/{unknown}")
        assert (status, refused["code"]) == (404, "payment_unknown")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_what_stands_beside_a_payment_is_shown(busy: Any, get: Call) -> None:
    _, page = await get("/payments", kind="cash")
    [cash] = page["items"]
    named = ("manager", "receipt_number", "comment", "corrected_by", "provider", "holders")
    assert [cash[name] for name in named] == [
        *("Ольга", "К-17", "за Интернет, 100 %", None, None),
        [{"contract": "A", "account": "contract:A", "amount": "300.00"}],
    ]
    _, page = await get("/payments", kind="cashless")
    [bank] = page["items"]
    assert (bank["status"], bank["amount"], bank["holders"]) == ("annulled", "0.00", [])
    _, page = await get("/payments", kind="transfer")
    [moved] = page["items"]
    assert (moved["manager"], moved["comment"], moved["amount"]) == ("Пётр", "просил сам", "0.07")
    assert [(h["contract"], h["amount"]) for h in moved["holders"]] == [
        ("A", "-0.07"),
        ("B", "0.07"),
    ]
    _, page = await get("/payments", kind="opening")
    assert [(one["amount"], one["holders"][0]["amount"]) for one in page["items"]] == [
        ("-50.00", "-50.00")
    ]


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_questions_that_are_refused(busy: Any, get: Call) -> None:
    for query, code in (
        ({"amount_from": "2", "amount_to": "1"}, "range_reversed"),
        ({"paid_from": "2026-11-22", "paid_to": "2026-11-21"}, "range_reversed"),
        ({"registered_from": "2026-11-22", "registered_to": "2026-11-21"}, "range_reversed"),
        ({"contract": "nobody"}, "contract_unknown"),
        ({"paid_from": "1764028800"}, None),
        ({"kind": "gold"}, None),
        ({"limit": "201"}, None),
        ({"cursor": "x"}, None),
        ({"q": ""}, None),
    ):
        for path in ("/payments", "/payments/export"):
            status, refused = await get(path, **query)
            assert (status, refused.get("code")) == (
                404 if code == "contract_unknown" else 422,
                code,
            )
    assert (await get("/payments", token="none"))[0] == 403
    assert (await get("/payments/export", token="none"))[0] == 403
    assert (await get("/payments/1", token="none"))[0] == 403


async def test_a_search_that_takes_long_is_refused(books: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(time_limit, "SECONDS_MAX", 0.05)
    if not books.db.postgres:
        return
    with pytest.raises(Invalid) as raised:
        async with time_limit.reading_briefly(books.db) as tx:
            await tx.execute(text("SELECT pg_sleep(5)"))
    assert raised.value.code == "search_too_wide"


def rows_of(raw: bytes, encoding: str) -> list[list[str]]:
    """Read a CSV file."""
    return list(csv.reader(io.StringIO(raw.decode(encoding), newline=""), delimiter=";"))


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_csv_in_both_encodings(busy: Any, get: Call) -> None:
    status, raw = await get("/payments/export")
    assert status == 200
    assert raw.startswith(b"\xef\xbb\xbf")
    titles, *lines = rows_of(raw, "utf-8-sig")
    assert titles[:5] == ["Номер", "Дата платежа", "Дата регистрации", "Договор", "Сумма"]
    named = [dict(zip(titles, line, strict=True)) for line in lines]
    assert [one["Сумма"] for one in named] == ["0,00", "300,00", "0,05", "200,00", "100,00"]
    assert [one["Состояние"] for one in named][:3] == ["аннулирован", "проведён", "невыясненный"]
    assert named[-1]["Дата платежа"] == "22.11.2026 14:59:00"
    assert [one["Комментарий"] for one in named][:2] == ["'=1+1", "за Интернет, 100 %"]
    _, old = await get("/payments/export", encoding="cp1251", lang="en")
    assert rows_of(old, "cp1251")[1:] != lines
    assert rows_of(old, "cp1251")[0][4] == "Amount"
    assert [line[4] for line in rows_of(old, "cp1251")[1:]] == [line[4] for line in lines]
    async with transaction(busy.db) as tx:
        row = {"name": "export_encoding", "scope": "manager:Ольга", "revision": 1, "reason": ""}
        more = {"valid_from": AT.date(), "value": "cp1251", "set_at": AT, "set_by": "Ольга"}
        await tx.execute(policy_rows.policy.insert().values({**row, **more}))
    _, own = await get("/payments/export")
    assert rows_of(own, "cp1251") == [titles, *lines]


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_a_sheet_holds_numbers_dates_and_no_formula(busy: Any, get: Call) -> None:
    _, raw = await get("/payments/export", format="xlsx", registered_from="2026-11-23")
    sheet = load_workbook(io.BytesIO(raw)).worksheets[0]
    titles, bank, cash = list(sheet.rows)
    place = {cell.value: n for n, cell in enumerate(titles)}
    assert (cash[place["Сумма"]].value, cash[place["Сумма"]].data_type) == (300, "n")
    assert str(cash[place["Дата платежа"]].value) == "2026-11-22 15:00:00"
    said = bank[place["Комментарий"]]
    assert (said.value, said.data_type) == ("=1+1", "s")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_an_export_goes_page_by_page_and_has_an_end(
    busy: Any, get: Call, monkeypatch: Any, tmp_path: Any
) -> None:
    _, whole = await get("/payments/export")
    monkeypatch.setattr(exporting, "PAGE", 2)
    assert await get("/payments/export") == (200, whole)
    monkeypatch.setattr(exporting, "_gone", lambda _request: True)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    await get("/payments/export", format="xlsx")
    assert not [*tmp_path.glob("openpyxl*")]
    monkeypatch.undo()
    monkeypatch.setitem(export.ROWS_MAX, "xlsx", 4)
    status, refused = await get("/payments/export", format="xlsx")
    assert (status, refused["code"]) == (422, "export_too_large")
    monkeypatch.setitem(export.ROWS_MAX, "xlsx", 5)
    assert (await get("/payments/export", format="xlsx"))[0] == 200


def test_an_unfinished_sheet_leaves_no_file(monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sheet = export.Sheet(["Сумма"])
    sheet.append([[Money(5)]])
    assert list(tmp_path.iterdir()) != []
    sheet.close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_half_a_file_is_no_file(
    busy: Any, aiohttp_client: Any, get: Call, monkeypatch: Any
) -> None:
    monkeypatch.setattr(exporting, "PAGE", 1)
    read, pages = search.page, count()

    async def failing(*arguments: Any) -> Any:
        if next(pages) == 2:
            raise RuntimeError("the database went away")
        return await read(*arguments)

    monkeypatch.setattr(search, "page", failing)
    with pytest.raises(ClientError):
        await get("/payments/export")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_who_has_gone_is_sent_nothing_more(
    busy: Any, aiohttp_client: Any, monkeypatch: Any
) -> None:
    """A file without an end is given up when its reader leaves."""
    read, make = search.page, exporting._send_csv
    working: list[asyncio.Future[Any]] = []

    async def endless(tx: Any, asked: Filter, _after: Any, limit: int) -> Any:
        return await read(tx, asked, None, limit)

    async def watched(*arguments: Any) -> Any:
        # Beside the handler, which tests would cancel by themselves; our servers do not.
        working.append(asyncio.ensure_future(make(*arguments)))
        return await asyncio.shield(working[0])

    monkeypatch.setattr(search, "page", endless)
    monkeypatch.setattr(exporting, "_send_csv", watched)
    client = await _client(busy, aiohttp_client)
    headers = {"Authorization": "Bearer all"}
    answer = await client.get("/api/v1/payments/export", headers=headers)
    await answer.content.readany()
    assert not working[0].done()
    answer.close()
    await asyncio.wait_for(working[0], 10)


MOVES = st.lists(
    st.tuples(
        st.integers(0, 4),
        st.integers(1, 500),
        st.lists(st.sampled_from(["A", "B", "nobody"]), max_size=2, unique=True),
    ),
    max_size=14,
)


class Told:
    """What random payments and their corrections should come to."""

    def __init__(self) -> None:
        self.now: dict[str, tuple[int, int, dict[str, int]]] = {}
        """Key → revision, sum, and who holds it, or held it before it was annulled."""

    def keys(self, number: str | None = None, status: Status | None = None) -> list[str]:
        """Return the payments that a filter should find, newest first."""
        return [
            key
            for key, (revision_, kopecks, held) in reversed(self.now.items())
            if number is None or number in held
            if status is None or status in _statuses(revision_, kopecks, held)
        ]


def _statuses(revision_: int, kopecks: int, held: dict[str, int]) -> set[Status]:
    if not kopecks:
        return {Status.ANNULLED}
    place = Status.SUSPENSE if "nobody" in held else Status.POSTED
    return {place, Status.CORRECTED} if revision_ > 1 else {place}


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
def test_any_history_is_listed_as_it_stands(books: Any, runner: asyncio.Runner) -> None:
    examples = count(1)

    @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
    @given(MOVES)
    def tell(moves: Any) -> None:
        runner.run(_compare(books, next(examples), moves))

    tell()
    runner.run(books.db.close())


async def _compare(books: Any, example: int, moves: Any) -> None:
    told = Told()
    await books.open(f"A{example}", f"B{example}")
    for which, kopecks, holders in moves:
        await _do(books, example, told, f"{example}-{which}", kopecks, holders)
    ids = {one.number: one.id for one in await books.contracts()}
    async with reading(books.db) as tx:
        for number in (None, "A", "B"):
            for status in (None, *Status):
                contract_id = None if number is None else ids[f"{number}{example}"]
                asked = Filter(category=example, contract_id=contract_id, status=status)
                rows = await payment_list.page(tx, asked, None, 100)
                totals = await payment_list.totals(tx, asked)
                assert [row.external_id for row in rows] == told.keys(number, status), asked
                assert totals.count == len(rows)
                assert totals.amount.kopecks == sum(told.now[r.external_id][1] for r in rows)
        found = await search.page(tx, Filter(category=example), None, 100)
    balances = await books.balances()
    for number in ("A", "B"):
        held = [
            h.amount.kopecks for f in found for h in f.holders if h.contract == f"{number}{example}"
        ]
        assert sum(held) == balances[f"{number}{example}"]


async def _do(
    books: Any, example: int, told: Told, key: str, kopecks: int, holders: list[str]
) -> None:
    """Take a payment that is new, put one that is known elsewhere."""
    name = {"A": f"A{example}", "B": f"B{example}"}
    if key not in told.now:
        to = holders[0] if holders else "nobody"
        shares = [(name.get(to, to), kopecks)]
        await post_by(books, "cash:desk", key, kopecks, *shares, category=example)
        told.now[key] = 1, kopecks, {to: kopecks}
        return
    number, before, held = told.now[key]
    if not before and not holders:
        return
    shares = [(name.get(to), kopecks) for to in holders]
    await correct(books, ("cash:desk", key), number, *shares)
    now = dict.fromkeys(holders, kopecks) or held
    told.now[key] = number + 1, kopecks * len(holders), now
