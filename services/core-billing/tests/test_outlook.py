"""What a contract is advised to pay and when it is blocked, as callers and jobs read it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient
from sqlalchemy import event

from core_billing import outlook, policy_rows
from core_billing.accounts import balance
from core_billing.block_rows import block
from core_billing.contracts import Contract
from core_billing.forecast import Cause
from core_billing.policies import BLOCK, DISTRIBUTE, RECOMMENDED, Mode
from core_billing.promise_rows import promise
from core_billing.services import service, service_tariff
from core_billing.tariffs import tariff, tariff_price
from core_billing.terms import terms
from core_billing.web import api
from shared import problem
from shared.crypto import token_hash
from shared.db import reading, transaction
from shared.settings import ApiToken

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TODAY = date(2026, 11, 22)
TOKENS = {token_hash("reader"): ApiToken(name="reader", scopes=("contracts:read",))}

Ask = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def ask(books: Any, aiohttp_client: Any) -> Ask:
    """Ask the API in Russian; returns status and body."""
    root = web.Application(middlewares=[problem.middleware])
    root.add_subapp(api.PREFIX, api.application(books.core, TOKENS))
    client: TestClient[Any, Any] = await aiohttp_client(root)

    async def send(path: str, language: str = "ru", root: str = "contracts/") -> tuple[int, Any]:
        headers = {"Authorization": "Bearer reader", "Accept-Language": language}
        answer = await client.get(f"/api/v1/{root}{path}", headers=headers)
        return answer.status, await answer.json()

    return send


async def tariffs_of(books: Any, *wanted: tuple[int, str, str, int]) -> None:
    """Sell services from November on, charged for it: contract, label, tariff, roubles a month."""
    said = {"revision": 1, "changed_by": "test", "changed_at": AT}
    flags = {"charging": "monthly", "charge_while_blocked": False, "blocks": True, "closed": False}
    begun = date(2026, 11, 1)
    async with transaction(books.db) as tx:
        for number, (contract_id, label, name, roubles) in enumerate(wanted, start=1):
            price = {"month_kopecks": roubles * 100, "set_by": "test", "set_at": AT}
            days = {"charged_through": date(2026, 11, 30), "due_on": date(2026, 12, 1)}
            kept = {"id": number, "label": label, **said}
            await tx.execute(tariff.insert().values(name=name, **flags, **kept))
            await tx.execute(
                tariff_price.insert().values(tariff_id=number, valid_from=begun, **price)
            )
            await tx.execute(
                service.insert().values(
                    contract_id=contract_id, charging="monthly", starts_on=begun, **days, **kept
                )
            )
            await tx.execute(
                service_tariff.insert().values(service_id=number, since=begun, tariff_id=number)
            )


async def promised(books: Any, contract_id: int, kopecks: int, paid: int = 0) -> None:
    """Let a contract have promised to pay by the end of 25 November."""
    row = {"amount_kopecks": kopecks, "fee_kopecks": 0, "paid_kopecks": paid, "revision": 1}
    until = books.core.rules.start(date(2026, 11, 26))
    said = {"granted_at": AT, "until": until, "origin": "manager", "granted_by": "test"}
    async with transaction(books.db) as tx:
        await tx.execute(promise.insert().values(contract_id=contract_id, **row, **said))
        mine = balance.c.account_id == contract_id
        await tx.execute(balance.update().where(mine).values(promised_kopecks=kopecks))


async def setting(books: Any, policy: Any, value: Any, scope: str = "") -> None:
    """Set a setting from today on."""
    row = {"name": policy.name, "scope": scope, "revision": 1, "valid_from": TODAY, "reason": ""}
    async with transaction(books.db) as tx:
        await tx.execute(
            policy_rows.policy.insert().values(value=value, set_at=AT, set_by="t", **row)
        )


async def held(books: Any, contract_id: int, **values: Any) -> None:
    """Give a contract terms of its own."""
    plain = {"revision": 1, "changed_by": "t", "charging": "advance", "group_name": "default"}
    rest = {"priority": 1, "automatic_promise": False}
    async with transaction(books.db) as tx:
        row = {**plain, **rest, **values, "contract_id": contract_id}
        await tx.execute(terms.insert().values(row))


async def opened(books: Any, *balances: str) -> list[Contract]:
    """Open contracts 1, 2, ... with these balances."""
    await books.open(*(books.asked(str(n), one) for n, one in enumerate(balances, start=1)))
    return list(await books.contracts())


async def test_a_payment_is_recommended_line_by_line(books: Any, ask: Ask) -> None:
    [one] = await opened(books, "-120.00")
    await tariffs_of(books, (one.id, "internet", "Домашний 100", 650), (one.id, "tv", "ТВ", 199))
    assert await ask("1/recommended") == (
        200,
        {
            "amount": "969.00",
            "lines": [
                {"what": "Долг", "amount": "120.00", "kind": "debt"},
                {
                    "what": "Домашний 100, 01.12.2026–31.12.2026",
                    "amount": "650.00",
                    "kind": "fee",
                },
                {"what": "ТВ, 01.12.2026–31.12.2026", "amount": "199.00", "kind": "fee"},
            ],
            "minimum": "1.00",
            "currency": "RUB",
            "mode": "debt_plus_next_period",
            "covers_until": "2026-12-31",
        },
    )
    _, english = await ask("1/recommended?mode=debt", "en")
    assert [line["what"] for line in english["lines"]] == ["Debt"]
    assert (await ask("1/recommended?mode=n_periods&periods=3"))[1]["amount"] == "2667.00"
    assert (await ask("1/recommended?date=2026-12-01"))[1]["amount"] == "1818.00"


async def test_a_group_has_a_mode_of_its_own(books: Any, ask: Ask) -> None:
    first, _ = await opened(books, "-120.00", "-120.00")
    await held(books, first.id, group_name="firms")
    value = RECOMMENDED.write(RECOMMENDED.default.model_copy(update={"mode": Mode.FIXED}))
    await setting(books, RECOMMENDED, value, "group:firms")
    assert (await ask("1/recommended"))[1]["amount"] == "500.00"
    assert (await ask("2/recommended"))[1]["amount"] == "120.00"


async def test_a_main_contract_pays_for_those_below_it(books: Any, ask: Ask) -> None:
    main, first, second = await opened(books, "40.00", "-100.00", "-300.00")
    await tariffs_of(books, (main.id, "internet", "Домашний 100", 650))
    for below in (first, second):
        await held(books, below.id, main_id=main.id)
    _, found = await ask("1/recommended")
    assert [(line["kind"], line["amount"]) for line in found["lines"]] == [
        ("subordinates", "400.00"),
        ("fee", "650.00"),
        ("balance", "-40.00"),
    ]
    await setting(books, DISTRIBUTE, False)
    assert (await ask("1/recommended"))[1]["amount"] == "610.00"


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("1/recommended?mode=all", 422, "mode_unknown"),
        ("1/recommended?date=2026-11-21", 422, "recommended_date_past"),
        ("1/recommended?date=2027-11-24", 422, "recommended_date_too_far"),
        ("1/recommended?periods=25", 422, None),
        ("1/recommended?date=1", 422, None),
        ("7/recommended", 404, "contract_unknown"),
        ("7/forecast", 404, "contract_unknown"),
    ],
)
async def test_what_cannot_be_recommended(
    books: Any, ask: Ask, path: str, status: int, code: str | None
) -> None:
    await opened(books, "0.00")
    answered, refused = await ask(path)
    said = refused.get("code") or (refused.get("errors") or [{}])[0].get("code")
    assert (answered, said) == (status, code)


async def test_a_forecast_names_the_fee_and_the_day(books: Any, ask: Ask) -> None:
    [one] = await opened(books, "700.00")
    await tariffs_of(books, (one.id, "internet", "Домашний 100", 650))
    assert await ask("1/forecast") == (
        200,
        {
            "contract": "1",
            "available": "700.00",
            "currency": "RUB",
            "blocked": False,
            "blocks_on": "2027-01-01",
            "short_on": "2027-01-01",
            "reason": "fee",
            "text": "Будет заблокирован 01.01.2027: списание 650.00 руб. по тарифу"
            " «Домашний 100» 01.01.2027; не хватит 600.00 руб.",
            "cause": {
                "on": "2027-01-01",
                "amount": "650.00",
                "service_id": 1,
                "label": "internet",
                "tariff": "Домашний 100",
            },
            "rule": "below_zero",
            "lacks": "600.00",
            "needed": "600.00",
            "needed_until": "2027-01-31",
            "seen_until": "2027-12-27",
        },
    )
    await books.arrive(books.paid("p1", 100_000_00, ("1", 100_000_00)))
    _, found = await ask("1/forecast", "en")
    assert (found["blocks_on"], found["text"]) == (None, "There is enough until 2027-12-27")


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_the_days_of_a_block_are_neither_recommended_nor_foreseen(
    books: Any, ask: Ask
) -> None:
    """Blocked since November; on 20 January the rest of the month is due, and February."""
    [one] = await opened(books, "-650.00")
    await tariffs_of(books, (one.id, "internet", "Домашний 100", 650))
    async with transaction(books.db) as tx:
        row = {"revision": 1, "reason": "below_zero", "short_since": AT, "changed_at": AT}
        await tx.execute(block.insert().values(contract_id=one.id, blocked=True, **row))
    books.clock.advance(datetime(2027, 1, 20, 12, tzinfo=UTC) - AT)
    _, advised = await ask("1/recommended")
    assert [line["amount"] for line in advised["lines"]] == ["650.00", "901.61", "0.39"]
    assert advised["amount"] == "1552.00"


async def test_a_promise_is_foreseen_to_end_and_recommended_to_be_repaid(
    books: Any, ask: Ask
) -> None:
    [one] = await opened(books, "-100.00")
    await promised(books, one.id, 50_000, paid=10_000)
    _, found = await ask("1/forecast")
    assert (found["blocks_on"], found["reason"]) == ("2026-11-26", "promise_end")
    assert "заканчивается обещанный платёж 26.11.2026" in found["text"]
    _, advised = await ask("1/recommended?mode=debt")
    assert [line["amount"] for line in advised["lines"]] == ["100.00", "300.00"]


@pytest.mark.parametrize("db", ["sqlite"], indirect=True)
async def test_forecasts_of_all_are_listed_by_pages(books: Any, ask: Ask) -> None:
    await opened(books, "0.00", "-1.00", "5.00")
    pages, cursor = [], ""
    while cursor is not None:
        _, found = await ask(f"forecasts?limit=2{cursor and '&cursor='}{cursor}", root="")
        pages.append([(one["contract"], one["reason"]) for one in found["items"]])
        cursor = found["next_cursor"]
    assert pages == [[("1", "no_services"), ("2", "debt")], [("3", "no_services")]]


async def test_a_page_foresees_many_by_the_same_statements(books: Any) -> None:
    made = await opened(books, "100.00", "-50.00", "0.00", "0.00", "-1.00", "-2.00")
    await tariffs_of(books, *((one.id, "internet", f"T{one.id}", 650) for one in made[:3]))
    await promised(books, made[1].id, 100_000)
    await held(books, made[2].id, group_name="firms")
    await setting(books, BLOCK, {"mode": "never"}, "group:firms")
    async with transaction(books.db) as tx:
        row = {"revision": 1, "reason": "", "short_since": AT}
        await tx.execute(block.insert().values(contract_id=made[4].id, blocked=True, **row))
    asked: list[str] = []
    event.listen(
        books.db.engine.sync_engine,
        "before_cursor_execute",
        lambda _conn, _cursor, statement, *_: asked.append(statement),
    )
    async with reading(books.db) as tx:
        policies = await policy_rows.load_all(tx, TODAY)
        asked.clear()
        first = await outlook.page(tx, books.core.rules, policies, 0, 1, TODAY)
        few, _ = len(asked), asked.clear()
        rest = await outlook.page(tx, books.core.rules, policies, made[0].id, 1000, TODAY)
    assert few == len(asked) < 12
    found = {one.position.number: one.forecast for one in (*first, *rest)}
    assert [(n, f.cause, f.blocks_on) for n, f in found.items()] == [
        ("1", Cause.FEE, date(2026, 12, 1)),
        ("2", Cause.PROMISE_END, date(2026, 11, 26)),
        ("3", Cause.NEVER, None),
        ("4", Cause.NO_SERVICES, None),
        ("5", Cause.BLOCKED, None),
        ("6", Cause.DEBT, TODAY),
    ]
    async with reading(books.db) as tx:
        tonight = await outlook.page(tx, books.core.rules, policies, 0, 1000, TODAY, days=1)
    assert [one.position.number for one in tonight if one.forecast.blocks_on] == ["6"]
